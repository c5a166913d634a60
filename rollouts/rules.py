"""Recording rules: from the gateway's counters to a verdict per gate, stratum and step.

One group, in the order of need: Prometheus evaluates the rules of a group one after another at one time, so a verdict
never mixes two evaluations. No interval is set: the global one holds.
"""

from dataclasses import dataclass, field

from rollouts import promql
from rollouts.gates import Backstop, Gate, Gates, rate

UNMEASURED = 0.05  # of the canary's requests may be: no more of them can be bad than that


@dataclass(frozen=True)
class Rule:
    record: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        head: dict[str, object] = {"record": self.record}
        return head | ({"labels": self.labels} if self.labels else {}) | {"expr": self.expr}


def evidence_rules(gates: Gates) -> list[Rule]:
    rules = [*request_rules(gates), *grid_rules(gates), *quiet_rules()]
    for name, gate in gates.gates.items():
        rules += gate_rules(name, gate, gates)
    return [*rules, backstop_rule(gates.backstop)]


def request_rules(gates: Gates) -> list[Rule]:
    not_judged = "|".join(gates.outcomes.not_judged)
    unjudged = promql.summed(f'sluice_requests_total{{outcome=~"{not_judged}"}}')
    return [
        Rule("sluice:judged_started", f"{promql.summed('sluice_started_total')}\n- {unjudged}"),
        Rule("sluice:judged_ended", promql.summed(f'sluice_requests_total{{outcome!~"{not_judged}"}}')),
        Rule("sluice:ended_any", promql.summed("sluice_requests_total")),
    ]


def grid_rules(gates: Gates) -> list[Rule]:
    """One series per rate and stratum: each rate becomes a label, so that an average runs over them."""
    return [
        Rule("sluice:rate", grid_of(gates.evidence.worse), {"side": "worse"}),
        Rule("sluice:rate", grid_of(gates.evidence.better), {"side": "better"}),
    ]


def grid_of(rates: tuple[str, ...]) -> str:
    canary = f'sum by ({promql.STRATUM}) (sluice:judged_started{{arm="canary"}})'
    return "\nor ".join(f'label_replace({canary} * 0 + {rate(text)!r}, "r", "{text}", "", "")' for text in rates)


def quiet_rules() -> list[Rule]:
    """What the choice `quiet` means, as a number: PromQL cannot compare the text that a template is given."""
    return [
        Rule("sluice:quiet_stands", "vector(1)", {"quiet": "probes"}),
        Rule("sluice:quiet_stands", "vector(0)", {"quiet": "abort"}),
    ]


def gate_rules(name: str, gate: Gate, gates: Gates) -> list[Rule]:
    mark = {"gate": name}
    bad = gate.bad.replace("$bad", "|".join(gates.outcomes.bad))
    return [
        Rule("sluice:gate_n", "sluice:judged_started", mark | {"basis": "started"}),
        Rule("sluice:gate_n", "sluice:judged_ended", mark | {"basis": "ended"}),
        Rule("sluice:gate_bad", promql.summed(bad), mark),
        *share_rules(name, mark),
        *e_value_rules(name, gate, mark),
        *measured_rules(name, gate, mark),
        Rule("sluice:gate_verdict", verdict(name, gate, gates), mark),
    ]


def share_rules(name: str, mark: dict[str, str]) -> list[Rule]:
    """The canary's share of the requests, and the bad share of stable."""
    canary = strata(f'sluice:gate_n{{gate="{name}", basis="started", arm="canary"}}')
    both = strata(f'sluice:gate_n{{gate="{name}", basis="started"}}')
    bad = strata(f'sluice:gate_bad{{gate="{name}", arm="stable"}}')
    ended = strata(f'sluice:gate_n{{gate="{name}", basis="ended", arm="stable"}}')
    return [
        Rule("sluice:gate_canary:ratio", f"{canary}\n/ clamp_min({both}, 1)", mark),
        Rule("sluice:gate_stable_bad:ratio", f"{bad}\n/ clamp_min({ended}, 1)", mark),
    ]


def e_value_rules(name: str, gate: Gate, mark: dict[str, str]) -> list[Rule]:
    worse, better = 'sluice:rate{side="worse"}', 'sluice:rate{side="better"}'
    bad = f'sluice:gate_bad{{gate="{name}", arm="canary"}}'
    started = f'sluice:gate_n{{gate="{name}", basis="started", arm="canary"}}'
    ended = f'sluice:gate_n{{gate="{name}", basis="ended", arm="canary"}}'
    all_bad = strata(f'sluice:gate_bad{{gate="{name}"}}')
    share = f'sluice:gate_canary:ratio{{gate="{name}"}}'
    found = {
        "tolerated": promql.against_share(worse, bad, started, gate.tolerated),
        "stable": promql.against_stable(worse, bad, all_bad, share),
        "unacceptable": promql.against_share(better, bad, ended, gate.unacceptable),
    }
    return [Rule("sluice:gate_evidence", expr, mark | {"evidence": of}) for of, expr in found.items()]


def measured_rules(name: str, gate: Gate, mark: dict[str, str]) -> list[Rule]:
    """1 where it is known of nearly all the canary's requests whether they are bad, else 0: no pass.

    What is not streamed has no time to its first token, so it is known of it: nobody is asked for a bound that only
    streams can give. A gateway that does not say how many requests wait for one has measured nothing.
    """
    canary = strata('sluice:judged_ended{arm="canary"}')
    if gate.unmeasured is None:
        return [Rule("sluice:gate_measured", f"{canary} * 0 + 1", mark)]
    waiting = strata(f'sluice:gate_unmeasured{{gate="{name}", arm="canary"}}')
    few = f"({waiting} <= bool on ({promql.STRATUM}) {UNMEASURED} * {canary})"
    return [
        Rule("sluice:gate_unmeasured", promql.summed(gate.unmeasured), mark),
        Rule("sluice:gate_measured", f"{few}\nor {canary} * 0", mark),
    ]


def verdict(name: str, gate: Gate, gates: Gates) -> str:
    """`>= bool` reads NaN as no; a fail takes precedence."""
    stratum = f"on ({promql.STRATUM})"
    fails = (
        f"({evidence(name, 'tolerated')} >= bool {gates.evidence.fail_at:g})\n"
        f"  * {stratum} ({evidence(name, 'stable')} >= bool {gates.evidence.fail_at:g})"
    )
    passes = (
        f"({evidence(name, 'unacceptable')} >= bool {gates.evidence.pass_at:g})\n"
        f'  * {stratum} (sluice:gate_stable_bad:ratio{{gate="{name}"}} <= bool {gate.unacceptable!r})\n'
        f'  * {stratum} sluice:gate_measured{{gate="{name}"}}'
    )
    return f"-({fails}) < 0\nor {stratum}\n{passes}"


def evidence(name: str, of: str) -> str:
    return f'sluice:gate_evidence{{gate="{name}", evidence="{of}"}}'


def backstop_rule(limit: Backstop) -> Rule:
    stratum = f"on ({promql.STRATUM})"
    started = strata(f'sluice:gate_n{{gate="{limit.gate}", basis="started", arm="canary"}}')
    stable = strata(f'sluice:gate_n{{gate="{limit.gate}", basis="ended", arm="stable"}}')
    bad = strata(f'sluice:gate_bad{{gate="{limit.gate}", arm="canary"}}')
    share = strata(f'sluice:gate_stable_bad:ratio{{gate="{limit.gate}"}}')
    return Rule(
        "sluice:backstop",
        f"({started} >= bool {limit.requests})\n"
        f"* {stratum} ({bad} / {started} > bool {limit.canary_above!r})\n"
        f"* {stratum} ({stable} >= bool {limit.requests})\n"
        f"* {stratum} ({share} < bool {limit.stable_below!r})",
    )


def strata(selector: str) -> str:
    return f"sum by ({promql.STRATUM}) ({selector})"
