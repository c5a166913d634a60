{{/* The gateway's environment. No version: it reads that from the Rollout, and a new one must not restart it. */}}
{{- define "llm.gatewaySettings" -}}
SLUICE_MODEL_NAME: {{ .Values.modelName | quote }}
SLUICE_NAMESPACE: {{ .Release.Namespace | quote }}
SLUICE_ROLLOUT: {{ printf "%s-engine" (include "llm.fullname" .) | quote }}
SLUICE_ENGINE_PORT: {{ include "llm.trafficPort" . | quote }}
SLUICE_PORT: "8080"
SLUICE_PROBE_KEY_FILE: /etc/sluice/probe/key
SLUICE_MAX_PER_USER: {{ int (.Subcharts.rollouts.Files.Get "gates.yaml" | fromYaml).strata.maxPerUser | quote }}
SLUICE_MAX_INFLIGHT_PER_ENGINE: {{ int .Values.gateway.maxInflightPerEngine | quote }}
SLUICE_MAX_TOKENS: {{ int .Values.gateway.maxTokens | quote }}
SLUICE_DRAIN_SECONDS: {{ int .Values.gateway.drainSeconds | quote }}
SLUICE_RESCUE: {{ .Values.gateway.rescue.enabled | quote }}
SLUICE_RESCUE_SHARE: {{ .Values.gateway.rescue.share | quote }}
{{- if .Values.gateway.keys.existingSecret }}
SLUICE_KEYS_FILE: /etc/sluice/keys/keys.yaml
{{- end }}
{{- if include "llm.flagsConfigMap" . }}
SLUICE_FLAGS_FILE: /etc/sluice/flags/flags.json
{{- end }}
{{- if .Values.gateway.redact.existingConfigMap }}
SLUICE_REDACT_FILE: /etc/sluice/redact/patterns
{{- end }}
{{- if .Values.gateway.words.existingConfigMap }}
SLUICE_WORDS_FILE: /etc/sluice/words/words.txt
SLUICE_BLOCK_WORDS: {{ .Values.gateway.words.block | quote }}
{{- end }}
{{- range $key, $file := include "llm.carriedFiles" . | fromYaml }}
{{- if hasKey ($.Values.release | default dict) $key }}
SLUICE_{{ upper $key }}_FILE: /etc/sluice/{{ $key }}/{{ $file }}
{{- end }}
{{- end }}
{{- with .Values.tracing.endpoint }}
SLUICE_OTLP_ENDPOINT: {{ . | quote }}
SLUICE_TRACE_SHARE: {{ $.Values.tracing.share | quote }}
{{- end }}
{{- range $name, $value := .Values.gateway.settings }}
SLUICE_{{ snakecase $name | upper }}: {{ ternary (int64 $value) $value (and (kindIs "float64" $value) (eq (floor $value) $value)) | quote }}
{{- end }}
{{- end }}

{{/* The hash is in the name: pods that are rolled back find the settings they were started with. */}}
{{- define "llm.gatewayConfigMap" -}}
{{ include "llm.fullname" . }}-gateway-{{ include "llm.gatewaySettings" . | sha256sum | trunc 10 }}
{{- end }}

{{/* Flags that change on their own: their map keeps its name, so that the gateway sees a new one without a restart. */}}
{{- define "llm.flagsConfigMap" -}}
{{- $flags := .Values.gateway.flags }}
{{- if and $flags.content $flags.existingConfigMap }}{{ fail "gateway.flags: give content or existingConfigMap, not both" }}{{ end }}
{{- $name := $flags.existingConfigMap | default (ternary (printf "%s-flags" (include "llm.fullname" .)) "" (not (empty $flags.content))) }}
{{- if and $name (hasKey (.Values.release | default dict) "flags") }}{{ fail "gateway.flags: the release has flags of its own: keep them in one place" }}{{ end }}
{{- $name }}
{{- end }}

{{/* Files that go with the release, by their key in it. */}}
{{- define "llm.carriedFiles" -}}
flags: flags.json
prompts: prompts.yaml
{{- end }}

{{/* A carried file's ConfigMap: .root, .key. Its name holds the content's hash, so that Argo's and Helm's rollbacks find it again. */}}
{{- define "llm.carriedName" -}}
{{- $one := get .root.Values.release .key -}}
{{- $found := sha256sum $one.content -}}
{{- if ne $found (trimPrefix "sha256:" $one.sha256) }}{{ fail (printf "release.%s.sha256: is not that of its content (%s): record the release again" .key $found) }}{{ end -}}
{{ include "llm.fullname" .root }}-{{ .key }}-{{ trunc 10 $found }}
{{- end }}

{{/* vLLM's own spans, below the gateway's, and the gateway's media hosts; another engine's arguments are the site's to give. */}}
{{- define "llm.engineArgs" -}}
{{- $args := .Values.engine.args }}
{{- if include "llm.engineTraces" . }}
{{- $args = concat $args (list "--otlp-traces-endpoint" (printf "%s/v1/traces" .Values.tracing.endpoint)) }}
{{- end }}
{{- if eq "vllm" (dig "engine" "vllm" .Values.gateway.settings) }}
{{- with include "llm.mediaHosts" . | fromJsonArray }}
{{- $args = concat $args (list "--allowed-media-domains") . }}
{{- end }}
{{- end }}
{{- with $args }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* Those that engines may fetch from: `data:` in the gateway's setting needs no fetching. */}}
{{- define "llm.mediaHosts" -}}
{{- $hosts := list }}
{{- range dig "mediaHosts" "" .Values.gateway.settings | splitList "," }}
{{- $hosts = append $hosts (trim .) }}
{{- end }}
{{- without (compact $hosts) "data:" | toJson }}
{{- end }}

{{- define "llm.engineTraces" -}}
{{- if and .Values.tracing.endpoint (eq "vllm" (dig "engine" "vllm" .Values.gateway.settings)) }}yes{{ end }}
{{- end }}

{{- define "llm.collectorPort" -}}
{{ .Values.tracing.endpoint | splitList ":" | last }}
{{- end }}
