{{/* terminationGracePeriodSeconds: .preStop and .shutdown, and 10 s to exit, before the kubelet kills. */}}
{{- define "llm.grace" -}}
{{ add .preStop .shutdown 10 }}
{{- end }}

{{- define "llm.preStop" -}}
preStop: {sleep: {seconds: {{ int . }}}}
{{- end }}

{{- define "llm.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "llm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Pods of the gateway's image share these: .root, .component, .token. */}}
{{- define "llm.podStart" -}}
serviceAccountName: {{ include "llm.fullname" .root }}-{{ .component }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "llm.podSecurity" . | nindent 2 }}
{{- end }}

{{/* The engine's sidecars get what they do not set themselves: a fault of theirs must not look like the engine's. */}}
{{- define "llm.sidecars" -}}
{{- $defaults := dict "securityContext" (include "llm.containerSecurity" . | fromYaml) "lifecycle" (include "llm.preStop" .Values.engine.preStopSeconds | fromYaml) }}
{{- range .Values.engine.sidecars }}
{{ list (merge (deepCopy .) (deepCopy $defaults)) | toYaml }}
{{- end }}
{{- end }}

{{/* CPU values as they are, plus the GPUs. */}}
{{- define "llm.engineResources" -}}
{{- $gpu := dict }}
{{- if .Values.engine.gpu.count }}{{ $gpu = dict "limits" (dict .Values.engine.gpu.resource (int .Values.engine.gpu.count)) }}{{ end }}
{{- merge $gpu (deepCopy .Values.engine.resources) | toYaml }}
{{- end }}
