"""AnalysisTemplates of Argo Rollouts.

A gate is two metrics in one template: one decides, with both conditions guarded, and one ends the wait. What Argo
makes of an empty answer, of NaN and of a single condition is measured, and surprising: each condition here says
`len(result) > 0 && !isNaN(result[0])` first.
"""

from rollouts.gates import Gates

# Argo ends a metric at `count`, whatever was found, and refuses an inline one without: a number no release reaches.
ENDLESS = 1_000_000
GUARD = "len(result) > 0 && !isNaN(result[0])"
RELEASE = 'rollout="{{args.rollout}}", release="{{args.version}}-r{{args.revision}}"'
STEP = f'{RELEASE}, step="{{{{args.step}}}}"'
WATCH_ARGS = ("prometheus", "rollout", "version", "revision", "interval")
STEP_ARGS = (*WATCH_ARGS, "step")
DECISION_ARGS = (*STEP_ARGS, "minimum", "undecided-checks")
PODS_ARGS = ("prometheus", "interval", "namespace", "gateway", "new-pods", "old-pods", "checks")
FIRST_ARGS = ("prometheus", "interval", "namespace", "gateway", "settle", "gateway-checks")
ANSWERS_ARGS = (*WATCH_ARGS, "undecided-checks")
GATE_ARGS = (*DECISION_ARGS, "quiet", "quiet-after")

Document = dict[str, object]


def templates(gates: Gates) -> dict[str, Document]:
    """Every template by its name."""
    documents = {}
    for name in gates.gates:
        documents[name] = decision(gates, name, gate_query(gates, name), GATE_ARGS)
        documents[f"{name}-watch"] = watch(gates, name, f"min({verdict(name, RELEASE)})")
    documents["backstop"] = decision(gates, "backstop", backstop_query(), DECISION_ARGS)
    documents["backstop-watch"] = watch(gates, "backstop", f"-max(sluice:backstop{{{RELEASE}}})")
    documents["answers"] = decision(gates, "answers", answers_query(), ANSWERS_ARGS)
    documents["no-data"] = no_data(gates)
    documents["gateway-first"] = gateway_first(gates)
    documents["user-errors-watch"] = user_errors(gates)
    return {name: template(name, *parts) for name, parts in documents.items()}


def template(name: str, args: tuple[str, ...], metrics: list[Document]) -> Document:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name},
        "spec": {"args": [declared(arg) for arg in args], "metrics": metrics},
    }


def declared(arg: str) -> dict[str, str]:
    """A watch has a number of checks only where something waits for its end."""
    return {"name": arg, "value": str(ENDLESS)} if arg == "checks" else {"name": arg}


def decision(
    gates: Gates, name: str, query: str, args: tuple[str, ...], limit: str = "undecided-checks"
) -> tuple[tuple[str, ...], list[Document]]:
    """The first crossing decides; a wait of more than `limit` checks fails."""
    decides = {
        "successCondition": f"{GUARD} && result[0] > 0",
        "failureCondition": f"{GUARD} && result[0] < 0",
        "failureLimit": 0,
        "consecutiveSuccessLimit": 1,
        "inconclusiveLimit": ENDLESS,
    }
    ends = {
        "successCondition": f"{GUARD} && result[0] != 0",
        "failureLimit": f"{{{{args.{limit}}}}}",
        "consecutiveSuccessLimit": 1,
    }
    return args, [inline(gates, name, query, decides), inline(gates, f"{name}-undecided", query, ends)]


def watch(gates: Gates, name: str, query: str) -> tuple[tuple[str, ...], list[Document]]:
    """It can only fail. In the background Argo ends it with the release, after a blueGreen's switch `checks` do."""
    conditions = {
        "count": "{{args.checks}}",
        "successCondition": f"{GUARD} && result[0] >= 0",
        "failureCondition": f"{GUARD} && result[0] < 0",
        "failureLimit": 0,
        "inconclusiveLimit": "{{args.checks}}",  # above `count` Argo takes the whole run for invalid
    }
    return (*WATCH_ARGS, "checks"), [metric(gates, f"{name}-watch", query, conditions)]


def no_data(gates: Gates) -> tuple[tuple[str, ...], list[Document]]:
    limits = {
        "successCondition": f"{GUARD} && result[0] > 0",
        "failureLimit": "{{args.no-data-checks}}",
        "consecutiveSuccessLimit": 1,
    }
    query = f'sum(sluice:ended_any{{{STEP}, arm="canary"}})'
    return (*STEP_ARGS, "no-data-checks"), [inline(gates, "no-data", query, limits)]


def gateway_first(gates: Gates) -> tuple[tuple[str, ...], list[Document]]:
    """The engine's part of a release begins once the gateway's is over, and never when that was stopped.

    Right after the hand-over Prometheus still knows the phase of the release before: `settle` lets that pass.
    """
    over, stopped = phase("Completed"), phase("Abort|Timeout|Error|InvalidSpec")
    query = f"{over}\nor\n-{stopped}\nor\n0 * {phase('.+')}"
    args, metrics = decision(gates, "gateway-first", query, FIRST_ARGS, limit="gateway-checks")
    return args, [one | {"initialDelay": "{{args.settle}}"} for one in metrics]


def user_errors(gates: Gates) -> tuple[tuple[str, ...], list[Document]]:
    """The backstop of a gateway's release for what only users meet: a new pod's own 5xx, while the old ones have none.

    A new pod has counted from 0; of an old one the last minute says how it does.
    """
    limit = gates.backstop
    new, old = of_pods("new-pods"), of_pods("old-pods")
    asked, failed = f"sum({new})", f"sum({failing(new)})"
    before, wrong = f"sum(rate({old}[1m]))", f"sum(rate({failing(old)}[1m]))"
    query = (
        f"-({asked} >= bool {limit.requests})\n"
        f"* (({failed} or 0 * {asked}) / {asked} > bool {limit.canary_above!r})\n"
        f"* (({wrong} or 0 * {before}) / {before} < bool {limit.stable_below!r})"
    )
    return PODS_ARGS, watch(gates, "user-errors", query)[1]


def of_pods(template: str) -> str:
    pods = f'namespace="{{{{args.namespace}}}}", pod=~"{{{{args.gateway}}}}-{{{{args.{template}}}}}-.+"'
    return f'http_requests_total{{{pods}, handler!~"/(metrics|livez|readyz)"}}'


def failing(selector: str) -> str:
    return selector.removesuffix("}") + ', status=~"5.."}'


def phase(names: str) -> str:
    """1 where the gateway's Rollout is in one of these phases; Argo's own metric, as the job is scraped."""
    wanted = f'name="{{{{args.gateway}}}}", phase=~"{names}"'
    return (
        f'max(rollout_info{{namespace="{{{{args.namespace}}}}", {wanted}}}'
        f' or rollout_info{{exported_namespace="{{{{args.namespace}}}}", {wanted}}})'
    )


def inline(gates: Gates, name: str, query: str, conditions: Document) -> Document:
    return metric(gates, name, query, {"count": ENDLESS} | conditions)


def metric(gates: Gates, name: str, query: str, conditions: Document) -> Document:
    provider = {"prometheus": {"address": "{{args.prometheus}}", "query": query}}
    return {
        "name": name,
        "interval": "{{args.interval}}",
        **conditions,
        "consecutiveErrorLimit": gates.analysis.error_limit,
        "provider": provider,
    }


def gate_query(gates: Gates, name: str) -> str:
    """-1 when a stratum fails, 1 when all that must pass have passed and the minimum is over, else 0.

    A series that does not exist makes the answer empty, which is neither.
    """
    fails = f"min({verdict(name, STEP)}) < 0"
    probes = f"max({passed(name, 'probe')})"
    return f"{fails}\nor\n{probes}\n* ({users(gates, name)})\n* {minimum_over()}"


def users(gates: Gates, name: str) -> str:
    """1 where the users' pass is not needed or is there; 0 where it is needed and is not."""
    few = f'max(sluice:judged_ended{{{STEP}, arm="canary", source="user"}}) < {gates.strata.quiet_requests}'
    late = f"{elapsed()} >= {{{{args.quiet-after}}}}"
    not_needed = f"vector(1) and vector({{{{args.step}}}}) < {gates.strata.users_from}"
    quiet = f'max(sluice:quiet_stands{{quiet="{{{{args.quiet}}}}"}}) == 1 and {few} and {late} and {well(gates, name)}'
    return f"\n  ({not_needed})\n  or ({quiet})\n  or max({passed(name, 'user')})\n"


def well(gates: Gates, name: str) -> str:
    """Where stable fails its users too, few judged requests are no quiet time: what both arms fail is not judged."""
    share = f'max(sluice:gate_stable_bad:ratio{{gate="{name}", {STEP}, source="user"}})'
    return f"{share} <= {gates.gates[name].unacceptable!r}"


def passed(name: str, source: str) -> str:
    labels = f'{STEP}, source="{source}"'
    return f"{verdict(name, labels)} == bool 1"


def backstop_query() -> str:
    tripped = f"max(sluice:backstop{{{STEP}}})"
    return f"-{tripped} < 0\nor\n({tripped} == bool 0) * {minimum_over()}"


def answers_query() -> str:
    """The prober's verdict on all of the release's answers: there at the first step, and still at the others."""
    return f"min(sluice_answers_verdict{{{RELEASE}}})"


def minimum_over() -> str:
    return f"({elapsed()} >= bool {{{{args.minimum}}}})"


def elapsed() -> str:
    return f"(time() - max(sluice_step_started_seconds{{{STEP}}}))"


def verdict(name: str, labels: str) -> str:
    return f'sluice:gate_verdict{{gate="{name}", {labels}}}'
