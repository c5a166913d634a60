"""The Grafana dashboard, as data: one panel a line, laid out two in a row."""

from dataclasses import dataclass

from rollouts.gates import Gates

THIS = 'rollout="$rollout", release="$release"'
EVER = 'rollout="$rollout"'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 12, 8

Document = dict[str, object]


@dataclass(frozen=True)
class Panel:
    title: str
    queries: tuple[tuple[str, str], ...]  # expression, legend
    unit: str = "short"
    lines: tuple[float, ...] = ()  # drawn across, on a logarithmic scale
    told: str = ""


def panels(gates: Gates) -> list[Panel]:
    return [*release_panels(gates), *user_panels(), *system_panels()]


def release_panels(gates: Gates) -> list[Panel]:
    crossing = (gates.evidence.pass_at, gates.evidence.fail_at)
    per_gate = "{{gate}} {{step}} % {{source}}"
    evidence = f"sluice:gate_evidence{{{THIS}}}"
    return [
        Panel(
            "Weight of each arm",
            ((f"max by (arm, release) (sluice_weight{{{EVER}}})", "{{arm}} {{release}}"),),
            "percent",
        ),
        Panel(
            "Verdicts",
            ((f"sluice:gate_verdict{{{THIS}}}", per_gate),),
            told="1 pass, 0 not enough evidence, -1 fail; per gate, step and stratum",
        ),
        Panel(
            "Evidence",
            ((evidence, "{{gate}} {{step}} % {{source}}: {{evidence}}"),),
            lines=crossing,
            told=f"Fail: tolerated and stable reach {crossing[1]:g}. Pass: unacceptable reaches {crossing[0]:g}",
        ),
        Panel(
            "Judged requests of the canary",
            ((f'sluice:gate_n{{{THIS}, arm="canary", basis="started"}}', per_gate),),
        ),
        Panel(
            "Golden answers",
            ((f"sluice_answers_score{{{THIS}}}", "{{arm}} {{metric}} {{group}}"),),
            told="0 to 100, of both arms; the quality gate judges the canary's once per release",
        ),
        Panel("Bad requests of the canary", ((f'sluice:gate_bad{{{THIS}, arm="canary"}}', per_gate),)),
        Panel(
            "Backstop",
            ((f"sluice:backstop{{{THIS}}}", "{{step}} % {{source}}"),),
            told="1 is tripped: the canary is plainly bad while stable is well",
        ),
    ]


def user_panels() -> list[Panel]:
    outcomes = f"sum by (arm, outcome) (rate(sluice_requests_total{{{EVER}}}[$__rate_interval]))"
    return [
        Panel("Outcomes", ((outcomes, "{{arm}} {{outcome}}"),), "reqps"),
        Panel(
            "Slow requests",
            ((f"sum by (arm, kind) (rate(sluice_slow_total{{{EVER}}}[$__rate_interval]))", "{{arm}} {{kind}}"),),
            "reqps",
        ),
        Panel("Time to first token, P50 and P99", quantiles("sluice_ttft_seconds"), "s"),
        Panel("Time per output token, P50 and P99", quantiles("sluice_tpot_seconds"), "s"),
        Panel("Request time, P50 and P99", quantiles("sluice_request_seconds"), "s"),
        Panel("Tokens per second", (("sum by (arm, direction) (tokens_per_second)", "{{arm}} {{direction}}"),)),
    ]


def quantiles(histogram: str) -> tuple[tuple[str, str], ...]:
    buckets = f"sum by (arm, le) (rate({histogram}_bucket{{{EVER}}}[$__rate_interval]))"
    return tuple((f"histogram_quantile({q}, {buckets})", f"{{{{arm}}}} P{q * 100:g}") for q in (0.5, 0.99))


def system_panels() -> list[Panel]:
    by_status = "sum by (status) (rate(http_requests_total[$__rate_interval]))"
    return [
        Panel("HTTP answers by status", ((by_status, "{{status}}"),), "reqps"),
        Panel("Requests in flight", (("sum by (arm) (sluice_inflight_requests)", "{{arm}}"),)),
        Panel("Oldest request in flight", (("max by (arm) (sluice_oldest_request_seconds)", "{{arm}}"),), "s"),
        Panel(
            "Requests in the engines",
            (
                ("sum by (namespace) (llm:requests_running)", "{{namespace}} running"),
                ("sum by (namespace) (llm:requests_waiting)", "{{namespace}} waiting"),
            ),
        ),
        Panel("KV cache in use", (("llm:kv_cache_usage:ratio", "{{namespace}} {{pod}}"),), "percentunit"),
        Panel("Phase of each rollout", (("max by (name, phase) (rollout_info)", "{{name}} {{phase}}"),)),
    ]


def document(gates: Gates) -> Document:
    return {
        "uid": "sluice",
        "title": "Sluice: releases",
        "tags": ["sluice", "llm"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables()},
        "panels": [drawn(place, panel) for place, panel in enumerate(panels(gates))],
    }


def variables() -> list[Document]:
    asked = {
        "rollout": "label_values(sluice_weight, rollout)",
        "release": f"label_values(sluice_weight{{{EVER}}}, release)",
    }
    source: Document = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    chosen = [
        {
            "name": name,
            "type": "query",
            "datasource": SOURCE,
            "query": query,
            "definition": query,
            "refresh": 2,
            "sort": 2,
        }
        for name, query in asked.items()
    ]
    return [source, *chosen]


def drawn(place: int, panel: Panel) -> Document:
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.told,
        "datasource": SOURCE,
        "gridPos": {"x": place % 2 * WIDTH, "y": place // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": defaults(panel), "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for index, (expr, legend) in enumerate(panel.queries)
        ],
    }


def defaults(panel: Panel) -> Document:
    if not panel.lines:
        return {"unit": panel.unit}
    steps = [{"color": "transparent", "value": None}, *({"color": "orange", "value": line} for line in panel.lines)]
    custom = {"scaleDistribution": {"type": "log", "log": 10}, "thresholdsStyle": {"mode": "line"}}
    return {"unit": panel.unit, "custom": custom, "thresholds": {"mode": "absolute", "steps": steps}}
