"""Why a release was promoted or stopped, in sentences: e-values are right, but unreadable at three in the morning."""

from dataclasses import dataclass, replace

from release import answers
from release.answers import Answers
from release.cluster import Cluster, Run, State
from release.prometheus import FAIL, PASS, UNDECIDED, Evidence, Prometheus, order
from release.watch import figures, progress, spoilt
from rollouts.gates import Gates

PAST = "6h"  # the gates' series end a minute after the release; Prometheus still knows them


@dataclass(frozen=True)
class Case:
    """Everything that an explanation is made from."""

    state: State
    runs: tuple[Run, ...]
    evidence: tuple[Evidence, ...]
    silent: str
    gates: Gates
    answers: Answers | None = None
    gateway: "Case | None" = None  # its own release


def gathered(cluster: Cluster, prometheus: Prometheus | None, gates: Gates) -> Case:
    gateway = cluster.gateway.find()
    beside = made(cluster.gateway, gateway, prometheus, gates) if gateway else None
    return replace(made(cluster, cluster.state(), prometheus, gates), gateway=beside)


def made(cluster: Cluster, state: State, prometheus: Prometheus | None, gates: Gates) -> Case:
    evidence, silent = figures(prometheus, state, PAST)
    found = answers.gathered(prometheus, state.rollout, state.release, PAST)
    return Case(state, tuple(cluster.runs(state.current)), evidence, silent, gates, found)


def explain(case: Case) -> list[str]:
    """Sentences, the most important one first."""
    verdict, gateway = case.state.verdict(), case.gateway
    if gateway is not None and spoilt(case.state, gateway.state):
        told = spoilt_by(gateway)
    elif gateway is not None and gateway.state.in_progress:
        told = first(gateway)
    elif verdict == "promoted" and gateway is not None and passes(gateway) and not passes(case):
        told = gateway_alone(gateway)
    elif verdict == "promoted":
        told = promoted(case)
    elif verdict == "aborted":
        told = stopped(case)
    else:
        told = waiting(case)
    return told + ([f"There are no figures: {case.silent}."] if case.silent else [])


def spoilt_by(gateway: Case) -> list[str]:
    """The release's own verdict, and then the gateway's evidence."""
    version = gateway.state.version
    if gateway.state.stillborn:
        return [f"Nobody reached {version}, for its gateway was never ready.", *stopped(gateway)]
    return [f"{version} was stopped with its gateway, and the engine's release did not begin.", *stopped(gateway)]


def first(gateway: Case) -> list[str]:
    """How far the gateway's part is, for which the engine's waits."""
    at = gateway.state
    told = [f"{at.version} has no verdict yet: its gateway goes first, {at.updated} of {at.replicas} pods are new."]
    return told + [undecided(one, gateway.gates) for one in gateway.evidence if one.verdict != PASS]


def gateway_alone(gateway: Case) -> list[str]:
    """A release that left the engine as it is."""
    told = f"{gateway.state.release} was promoted: it changed the gateway alone, and the gateway's gates passed."
    return [told, *(passed(one, gateway.gates) for one in passes(gateway))]


def passes(case: Case) -> list[Evidence]:
    return [one for one in case.evidence if one.verdict == PASS]


def promoted(case: Case) -> list[str]:
    name = case.state.release
    steps = [run for run in case.runs if run.kind == "Step"]
    if not steps and not passes(case):
        return [f"{name} was promoted without steps: it was a first install, or a way back to a version known before."]
    told = [f"{name} was promoted: every gate passed at every step."]
    told += [passed(one, case.gates) for one in passes(case)]
    return told + on_answers(case, PASS) + quiet(case)


def stopped(case: Case) -> list[str]:
    state = case.state
    if state.stillborn:
        return [f"{state.release} was a first install and never served.", f"The controller says: {state.message}."]
    if state.reason:
        return [f"{state.release} was stopped by hand, {state.reason}. All traffic is on stable."]
    fails = [one for one in case.evidence if one.verdict == FAIL]
    told = [f"{state.release} was stopped; all traffic is on stable."]
    told += [failed(one, case.gates) for one in fails] + on_answers(case, FAIL)
    if not told[1:]:
        told += limits(case) + on_answers(case, UNDECIDED)
    told += [f"AnalysisRun {run.name} ({where(run)}): {run.message or run.phase}." for run in broken(case.runs)]
    return [*told, f"The controller says: {state.message}."] if state.message else told


def waiting(case: Case) -> list[str]:
    state = case.state
    if not state.observed:
        return [
            f"{state.release} has been handed over, but the rollouts controller has not looked at it; is it running?"
        ]
    told = [f"{state.release} has no verdict yet: {progress(state)}."]
    if case.evidence:
        latest = max(case.evidence, key=lambda one: order(one.step)).step
        told += [undecided(one, case.gates) for one in case.evidence if one.step == latest and one.verdict != PASS]
    return told + on_answers(case, UNDECIDED)


def on_answers(case: Case, verdict: int) -> list[str]:
    """What the quality gate found, when that was its verdict."""
    found = case.answers
    return [answers.told(found, case.gates.quality)] if found and found.verdict == verdict else []


def failed(one: Evidence, gates: Gates) -> str:
    limit, share = plain(gates.evidence.fail_at), percent(tolerated(one, gates))
    return (
        f"Gate {one.gate} failed for {one.source}s at the {one.step} % step: {shares(one)}. "
        f"The e-value is {plain(one.against)} and stops at {limit}: by chance alone a canary that is as good as "
        f"stable, or has no more than the tolerated {share}, ever gets there in at most 1 of {limit} releases."
    )


def passed(one: Evidence, gates: Gates) -> str:
    value = one.values.get("unacceptable", 0.0)
    return (
        f"Gate {one.gate} passed for {one.source}s at the {one.step} % step: {shares(one)}; "
        f"e-value {plain(value)}, which passes at {plain(gates.evidence.pass_at)}."
    )


def undecided(one: Evidence, gates: Gates) -> str:
    value = one.values.get("unacceptable", 0.0)
    return (
        f"Gate {one.gate} has {one.word} for {one.source}s at the {one.step} % step: {shares(one)}; "
        f"e-value {plain(value)} of {plain(gates.evidence.pass_at)} to pass, "
        f"{plain(one.against)} of {plain(gates.evidence.fail_at)} to stop."
    )


def shares(one: Evidence) -> str:
    """The canary's bad share and stable's."""
    if not one.n:
        return "no canary request was judged"
    canary = f"{one.c} of {one.n:,} judged canary requests were bad ({percent(one.c / one.n)})"
    if not one.stable_n:
        return canary
    return f"{canary}, stable had {one.stable_c} of {one.stable_n:,} ({percent(one.stable_c / one.stable_n)})"


def limits(case: Case) -> list[str]:
    """What ended a wait without evidence: the metric's name says which limit it was."""
    names = {name for run in case.runs for name, phase in run.metrics.items() if phase == "Failed"}
    if any("no-data" in name for name in names):
        return ["No canary request of any outcome ended in time (noData): nothing reached it, or nothing was counted."]
    if any("undecided" in name for name in names):
        return [
            "There was not enough evidence for a verdict in time (undecided): too few requests, or a share in between, "
            "or too many requests that nobody could measure yet."
        ]
    if any("backstop" in name for name in names):
        return ["The backstop tripped: so large a share of the canary's requests was bad that no test is needed."]
    return []


def quiet(case: Case) -> list[str]:
    """Say where users' evidence was missing and the probes' pass stood alone."""
    users = {one.step for one in case.evidence if one.source == "user" and one.verdict == PASS}
    first = case.gates.strata.users_from
    late = sorted({one.step for one in case.evidence if first <= order(one.step) < 100} - users, key=order)
    return [f"At {step} % there were too few user requests: the probes' pass stood alone." for step in late]


def broken(runs: tuple[Run, ...]) -> list[Run]:
    return [run for run in runs if run.phase in ("Failed", "Error")]


def where(run: Run) -> str:
    return "all steps" if run.step is None else f"step {run.step}"


def tolerated(one: Evidence, gates: Gates) -> float:
    gate = gates.gates.get(one.gate)
    return gate.tolerated if gate else 0.0


def percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def plain(value: float) -> str:
    """1,000 or 2.1 million rather than 2.1e+06."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.1f} {word}" if value < 1e15 else "more than a thousand trillion"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
