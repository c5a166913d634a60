{{- define "llm.fullname" -}}
{{ include "rollouts.fullname" . }}
{{- end }}

{{/* Labels that select: .root, .component. */}}
{{- define "llm.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of pods. Nothing that changes per deploy: a pod template that differs is another ReplicaSet. */}}
{{- define "llm.podLabels" -}}
{{ include "llm.selector" . }}
app.kubernetes.io/part-of: sluice
{{- end }}

{{/* Labels of all other objects: .root, .component. */}}
{{- define "llm.labels" -}}
{{ include "llm.podLabels" . }}
app.kubernetes.io/version: {{ include "llm.version" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "llm.version" -}}
{{ dig "version" "" (.Values.release | default dict) | required "release.version: nothing says what to release: add -f environments/<env>/release.yaml" }}
{{- end }}

{{/* A digest of the release: .root, .name is gateway or engine. */}}
{{- define "llm.image" -}}
{{ dig "images" .name "" (.root.Values.release | default dict) | required (printf "release.images.%s: nothing says what to run: add -f environments/<env>/release.yaml" .name) }}
{{- end }}

{{/* Who hears of a Rollout's verdict; the forge's triggers, of monitoring/notifications.yaml, start the workflow `verdict`. */}}
{{- define "llm.told" -}}
{{- if .root.Values.delivery.tellsForge }}
{{- range list "on-release-promoted" "on-install-failed" "on-rollout-aborted" }}
notifications.argoproj.io/subscribe.{{ . }}.forge: ""
{{- end }}
{{- end }}
{{- with .root.Values.notifications.slackChannel }}
{{- range $.root.Values.notifications.triggers }}
notifications.argoproj.io/subscribe.{{ . }}.slack: {{ $.root.Values.notifications.slackChannel | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "llm.probeSecret" -}}
{{ .Values.prober.existingSecret | default (printf "%s-probe" (include "llm.fullname" .)) }}
{{- end }}

{{- define "llm.trafficPort" -}}
{{ .Values.engine.trafficPort | default .Values.engine.port | int }}
{{- end }}
