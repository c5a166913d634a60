"""Alert rules. What fires is here; when, and how loud, is in gates.yaml; what to do is in monitoring/runbooks."""

from rollouts.gates import Gates

SERVING = 'component=~"engine|gateway"'
OUR_ROLLOUTS = 'name=~".+-(engine|gateway)"'
# Health checks and scrapes would water the share down, and a draining gateway answers /readyz with 503 on purpose.
ASKED = 'handler!~"/(metrics|livez|readyz)"'

Text = tuple[str, str]
Document = dict[str, object]


def rules(gates: Gates) -> list[Document]:
    return [rule(gates, name, expr, told) for name, (expr, told) in conditions(gates).items()]


def rule(gates: Gates, name: str, expr: str, told: Text) -> Document:
    setting = gates.alerts[name]
    annotations = {"summary": told[0], "description": told[1], "runbook_url": f"{gates.runbooks}/{name}.md"}
    return {
        "alert": name,
        "expr": expr,
        "for": setting.wait,
        "labels": {"severity": setting.severity},
        "annotations": annotations,
    }


def conditions(gates: Gates) -> dict[str, tuple[str, Text]]:
    return {
        "HighErrorRate": high_error_rate(gates.alerts["HighErrorRate"].above or 0.0),
        "LlmCanaryAborted": canary_aborted(gates),
        "LlmCircuitsOpen": circuits_open(gates.alerts["LlmCircuitsOpen"].wait),
        "LlmFileBroken": file_broken(gates.alerts["LlmFileBroken"].wait),
        "LlmGatesSilent": gates_silent(gates),
        "LlmMetricsMissing": metrics_missing(gates.alerts["LlmMetricsMissing"].wait),
        "LlmMetricsNeverSeen": metrics_never_seen(gates.alerts["LlmMetricsNeverSeen"].wait),
        "LlmRolloutsControllerGone": controller_gone(gates.alerts["LlmRolloutsControllerGone"].wait),
        "Watchdog": watchdog(),
    }


def high_error_rate(above: float) -> tuple[str, Text]:
    """A ratio of sums: a mean of ratios would let an idle gateway outvote a busy one."""
    failed = f'sum by (namespace) (rate(http_requests_total{{status=~"5..", {ASKED}}}[1m]))'
    asked = f"sum by (namespace) (rate(http_requests_total{{{ASKED}}}[1m]))"
    return f"{failed}\n/ {asked}\n> {above!r}", (
        "{{ $value | humanizePercentage }} of requests fail in {{ $labels.namespace }}",
        "The gateways in {{ $labels.namespace }} answered {{ $value | humanizePercentage }} of the last minute's "
        f"requests with 5xx; the limit is {above:.0%}.",
    )


def canary_aborted(gates: Gates) -> tuple[str, Text]:
    aborted = named(f'rollout_info{{phase="Abort", {OUR_ROLLOUTS}}}')
    expr = f"max by (namespace, name) (\n  {aborted}\n) == 1"
    rollout = '{rollout=\\"%s/%s\\", gate=\\"' + gates.backstop.gate + '\\", arm=\\"canary\\"}'
    query = (
        '{{ range printf "sum by (release, step) (sluice:gate_bad' + rollout + ') > 0" '
        "$labels.namespace $labels.name | query }} {{ .Value }} bad requests of {{ .Labels.release }} at "
        "{{ .Labels.step }} %.{{ end }}"
    )
    return expr, (
        "The release of {{ $labels.namespace }}/{{ $labels.name }} was stopped",
        "Argo Rollouts aborted {{ $labels.namespace }}/{{ $labels.name }}: the canary's weight is 0 and stable answers "
        f"everything.{query}",
    )


def named(selector: str) -> str:
    """The object's own namespace, also where a scrape keeps that label for the pod that was scraped."""
    return f'label_replace({selector}, "namespace", "$1", "exported_namespace", "(.+)")'


def gates_silent(gates: Gates) -> tuple[str, Text]:
    release = "rollout, release, step"
    engine = sum("engine" in gate.judges for gate in gates.gates.values())
    gateway = sum("gateway" in gate.judges for gate in gates.gates.values())
    expr = (
        f'time() - max by ({release}) (sluice_step_started_seconds{{step!="100"}})\n'
        f"unless on ({release}) (\n"
        f'  count by ({release}) (sluice:gate_verdict{{rollout!~".+-gateway"}}) >= {2 * engine}\n'
        f'  or count by ({release}) (sluice:gate_verdict{{rollout=~".+-gateway"}}) >= {gateway}\n'
        ")"
    )
    return expr, (
        "{{ $labels.rollout }} {{ $labels.release }} is released without all its gates",
        "{{ $value | humanizeDuration }} into the {{ $labels.step }} % step of {{ $labels.release }} verdicts are "
        f"missing: {engine} gates judge an engine by users and by probes, {gateway} a gateway by probes. "
        "The step cannot pass.",
    )


def circuits_open(wait: str) -> tuple[str, Text]:
    """The gateways do not share what they know of a pod: the one that passes over most is heard."""
    return "max by (namespace) (sluice_open_circuits) > 0", (
        "{{ $value }} engine pods of {{ $labels.namespace }} are passed over",
        "A gateway of {{ $labels.namespace }} has sent {{ $value }} engine pods nothing but a try now and then for "
        f"{wait}: their requests failed one after the other. The others take their load.",
    )


def file_broken(wait: str) -> tuple[str, Text]:
    """Keys, words and flags alike: their gauges have one name but for the file's."""
    named = '"file", "$1", "__name__", "sluice_(.+)_file_broken"'
    expr = (
        "max by (namespace, file) (\n"
        f'  label_replace({{__name__=~"sluice_(keys|words|flags)_file_broken"}}, {named})\n'
        ") == 1"
    )
    return expr, (
        "The newest file of {{ $labels.file }} in {{ $labels.namespace }} is not used",
        f"For {wait} at least {{{{ $value }}}} gateway of {{{{ $labels.namespace }}}} has found a file of "
        "{{ $labels.file }} that it cannot use: the last good one holds. Its log says what is wrong.",
    )


def metrics_missing(wait: str) -> tuple[str, Text]:
    """A pod that gave metrics within the hour and does not now, or the last pod of its kind that is gone."""
    kind = "namespace, component"
    expr = (
        f"(up{{{SERVING}}} == 0 and max_over_time(up{{{SERVING}}}[1h]) == 1)\n"
        f"or\n"
        f"(max by ({kind}) (max_over_time(up{{{SERVING}}}[15m])) == 1 unless on ({kind}) up{{{SERVING}}})"
    )
    return expr, (
        "No metrics from {{ if $labels.pod }}{{ $labels.pod }}{{ else }}any {{ $labels.component }}{{ end }} "
        "in {{ $labels.namespace }}",
        "{{ if $labels.pod }}{{ $labels.component }} pod {{ $labels.pod }} gave metrics within the last hour and has "
        f"given none for {wait}.{{{{ else }}}}The last {{{{ $labels.component }}}} pod of {{{{ $labels.namespace }}}} "
        f"that gave metrics has been gone for {wait}.{{{{ end }}}} Gates that need them cannot pass.",
    )


def metrics_never_seen(wait: str) -> tuple[str, Text]:
    expr = f"up{{{SERVING}}} == 0 unless max_over_time(up{{{SERVING}}}[1h]) == 1"
    return expr, (
        "{{ $labels.pod }} has never given metrics",
        "{{ $labels.component }} pod {{ $labels.pod }} in {{ $labels.namespace }} has been a target for "
        f"{wait} and has answered 0 scrapes.",
    )


def controller_gone(wait: str) -> tuple[str, Text]:
    return "absent(argo_rollouts_controller_info)", (
        "The Argo Rollouts controller gives no metrics",
        f"0 Argo Rollouts controllers were seen for {wait}. Nothing reads the gates meanwhile: a bad canary keeps its "
        "weight.",
    )


def watchdog() -> tuple[str, Text]:
    return "vector(1)", (
        "Alerts arrive here",
        "Always firing: {{ $value }} means that Prometheus evaluates rules. If it stops, alerts do not arrive.",
    )
