{{/* The name all objects of a release start with. */}}
{{- define "rollouts.fullname" -}}
{{- if gt (len .Release.Name) 40 }}{{ fail "release name: longer than 40 characters, and object names are made from it: choose a shorter one" }}{{ end -}}
{{ .Release.Name }}
{{- end }}

{{/* The names of the AnalysisTemplates, as a JSON list; .scope is this chart's, .part is judged, .watch picks the background ones. */}}
{{- define "rollouts.gates" -}}
{{- $names := list }}
{{- $gates := (.scope.Files.Get "gates.yaml" | fromYaml).gates }}
{{- range $path, $_ := .scope.Files.Glob "analysis/*.yaml" }}
{{- $name := base $path | trimSuffix ".yaml" }}
{{- $gate := trimSuffix "-watch" $name }}
{{- $others := dict "gateway-first" list "user-errors" (list "gateway") "backstop" (list "engine" "gateway") "no-data" (list "engine" "gateway") }}
{{- $judges := ternary (dig $gate "judges" (list "engine") $gates) (dig $gate (list "engine") $others) (hasKey $gates $gate) }}
{{- if and (has $.part $judges) (eq $.watch (hasSuffix "-watch" $name)) }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- if not $names }}{{ fail "rollouts/analysis: no AnalysisTemplate is there, so no gate would hold a release: generate them from rollouts/gates.yaml" }}{{ end }}
{{- $names | toJson }}
{{- end }}

{{/* Seconds as a number of looks: the check after the last of them comes not before the time is over. */}}
{{- define "rollouts.checks" -}}
{{ divf .seconds .interval | ceil | int }}
{{- end }}

{{/* templates and args of one analysis of .part; .step is absent for the background one, which runs through all steps, and .seconds there too. */}}
{{- define "rollouts.analysis" -}}
{{- $values := .scope.Values }}
{{- $pace := .pace | default $values }}
{{- $fullname := include "rollouts.fullname" .scope -}}
templates:
{{- range include "rollouts.gates" (dict "scope" .scope "part" (.part | default "engine") "watch" (not .step)) | fromJsonArray }}
  - templateName: {{ $fullname }}-{{ . }}
{{- end }}
{{- if .after }}
  - templateName: {{ $fullname }}-gateway-first
{{- end }}
args:
  - name: prometheus
    value: {{ $values.prometheus | quote }}
  - name: rollout
    value: {{ printf "%s/%s" .scope.Release.Namespace .rollout | quote }}
  - name: version
    valueFrom: {fieldRef: {fieldPath: "metadata.annotations['sluice.dev/version']"}}
  - name: revision
    valueFrom: {fieldRef: {fieldPath: "metadata.annotations['rollout.argoproj.io/revision']"}}
  - name: interval
    value: {{ printf "%ds" (int $values.interval) | quote }}
{{- with .seconds }}
  - name: checks
    value: {{ include "rollouts.checks" (dict "seconds" . "interval" $values.interval) | quote }}
{{- end }}
{{- with .step }}
  - name: step
    value: {{ int .weight | quote }}
  - name: minimum
    value: {{ int .minimum | quote }}
  - name: quiet
    value: {{ $values.quiet | quote }}
  - name: quiet-after
    value: {{ int $values.quietAfter | quote }}
  - name: undecided-checks
    value: {{ include "rollouts.checks" (dict "seconds" (addf .minimum $pace.undecided) "interval" $values.interval) | quote }}
  - name: no-data-checks
    value: {{ include "rollouts.checks" (dict "seconds" $pace.noData "interval" $values.interval) | quote }}
{{- end }}
{{- if .after }}
  {{- include "rollouts.gatewayArgs" . | nindent 2 }}
{{- end }}
{{- if eq (.part | default "engine") "gateway" }}
  - name: namespace
    value: {{ .scope.Release.Namespace | quote }}
  - name: gateway
    value: {{ .rollout | quote }}
  - name: new-pods
    valueFrom: {podTemplateHashValue: Latest}
  - name: old-pods
    valueFrom: {podTemplateHashValue: Stable}
{{- end }}
{{- end }}

{{/* Refuses steps that do not start without users or do not grow. */}}
{{- define "rollouts.checkedSteps" -}}
{{- $before := -1 }}
{{- range $index, $step := .scope.Values.steps }}
{{- if and (eq $index 0) (ne (int $step.weight) 0) }}{{ fail "rollouts.steps: the first weight is not 0, so users would meet an unprobed canary: start with weight 0" }}{{ end }}
{{- if le (int $step.weight) $before }}{{ fail (printf "rollouts.steps: weight %d does not grow: order the steps by weight" (int $step.weight)) }}{{ end }}
{{- $before = int $step.weight }}
{{- end }}
{{- end }}

{{/* Between a step's pass and the next weight: a bake time, a person, a window. The background analysis goes on watching. */}}
{{- define "rollouts.holds" -}}
{{- with .step.bake }}
- pause: {duration: {{ printf "%ds" (int .) | quote }}}
{{- end }}
{{- if .step.approval }}
- pause: {} # until somebody says `sluice approve`
{{- end }}
{{- with .step.window }}
- analysis:
    templates:
      - templateName: {{ include "rollouts.fullname" $.scope }}-window
    args:
      - name: prometheus
        value: {{ $.scope.Values.prometheus | quote }}
      - name: interval
        value: {{ printf "%ds" (int $.scope.Values.interval) | quote }}
      - name: open
        value: {{ include "rollouts.open" . | quote }}
{{- end }}
{{- end }}

{{/* A window as PromQL: 1 while it is open, else 0; the clock is Prometheus' own, in UTC. */}}
{{- define "rollouts.open" -}}
{{- if ge (int .from) (int .to) }}{{ fail (printf "rollouts.steps: a window from %d to %d is never open: its end comes after its begin, on the same day (UTC)" (int .from) (int .to)) }}{{ end -}}
{{- $days := list }}{{ range .days }}{{ $days = append $days (printf "(day_of_week() == bool %d)" (int .)) }}{{ end -}}
(hour() >= bool {{ int .from }}) * (hour() < bool {{ int .to }}) * ({{ join " + " $days }})
{{- end }}

{{/* For a version that was good here before: no steps, and the fail-only gates watch, or Argo's own way, which nothing watches. */}}
{{- define "rollouts.fastSteps" -}}
- setWeight: 100
{{- with .Values.fastWatchSeconds }}
- pause: {duration: {{ printf "%ds" (int .) | quote }}}
{{- end }}
{{- end }}

{{/* Only on the fast way: Argo takes any older ReplicaSet for a good one, also one whose release was stopped. */}}
{{- define "rollouts.rollbackWindow" -}}
{{- if and .Values.fast (not .Values.fastWatchSeconds) }}
rollbackWindow: {revisions: {{ int .Values.rollbackRevisions }}}
{{- end }}
{{- end }}

{{- define "rollouts.canary" -}}
{{- include "rollouts.checkedSteps" . -}}
canary:
  stableService: {{ .rollout }}-stable
  canaryService: {{ .rollout }}-canary
  maxSurge: 1
  maxUnavailable: 0
  scaleDownDelaySeconds: {{ int .scope.Values.scaleDownDelaySeconds }}
  abortScaleDownDelaySeconds: 5 # 0 scales down in the same instant and cuts streams
  trafficRouting:
    {{- toYaml .trafficRouting | nindent 4 }}
  analysis: # may only fail: a background run that is inconclusive does not stop a promotion
    {{- include "rollouts.analysis" (omit . "step") | nindent 4 }}
  steps:
    {{- if .scope.Values.fast }}
    {{- include "rollouts.fastSteps" .scope | nindent 4 }}
    {{- else }}
    - analysis: # before there is any pod: a bad gateway must not be the engine's fault
        {{- include "rollouts.gatewayFirst" . | nindent 8 }}
    {{- range $index, $step := .scope.Values.steps }}
    {{- if eq $index 0 }}
    - setCanaryScale: {replicas: 1}
    {{- end }}
    - setWeight: {{ int $step.weight }}
    {{- if eq $index 1 }}
    - setCanaryScale: {matchTrafficWeight: true} # before the first user's step it would kill the probed pod
    {{- end }}
    - analysis:
        {{- include "rollouts.analysis" (merge (dict "step" $step) $) | nindent 8 }}
    {{- with include "rollouts.holds" (merge (dict "step" $step) $) | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- end }}
{{- end }}

{{/* Waits for the Rollout .gateway.name, which has .gateway.seconds to be over. */}}
{{- define "rollouts.gatewayFirst" -}}
{{- $values := .scope.Values -}}
templates:
  - templateName: {{ include "rollouts.fullname" .scope }}-gateway-first
args:
  - name: prometheus
    value: {{ $values.prometheus | quote }}
  - name: interval
    value: {{ printf "%ds" (int $values.interval) | quote }}
  {{- include "rollouts.gatewayArgs" . | nindent 2 }}
{{- end }}

{{- define "rollouts.gatewayArgs" -}}
- name: namespace
  value: {{ .scope.Release.Namespace | quote }}
- name: gateway
  value: {{ .gateway.name | quote }}
- name: settle
  value: {{ printf "%ds" (int .scope.Values.settle) | quote }}
- name: gateway-checks
  value: {{ include "rollouts.checks" (dict "seconds" .gateway.seconds "interval" .scope.Values.interval) | quote }}
{{- end }}

{{/* For the parent: the strategy of the gateway's own Rollout, named .rollout: one pod, judged, then the rest. No traffic router. */}}
{{- define "rollouts.gatewayStrategy" -}}
{{- $judged := merge (dict "part" "gateway" "pace" .scope.Values.gateway) . -}}
canary:
  maxSurge: 1
  maxUnavailable: 0
  analysis:
    {{- include "rollouts.analysis" $judged | nindent 4 }}
  steps:
    {{- if .scope.Values.fast }}
    - setWeight: 100
    {{- else }}
    - setWeight: 1 # rounded up to a pod
    - analysis:
        {{- include "rollouts.analysis" (merge (dict "step" (dict "weight" 0 "minimum" .scope.Values.gateway.minimum)) $judged) | nindent 8 }}
    {{- end }}
{{- end }}

{{/* Seconds that a gateway of .replicas pods, each ready after at most .start, may take from its hand-over to its verdict. */}}
{{- define "rollouts.gatewaySeconds" -}}
{{ addf (mulf .start (add .replicas 1)) .scope.Values.gateway.minimum .scope.Values.gateway.undecided .scope.Values.settle | int }}
{{- end }}

{{- define "rollouts.blueGreen" -}}
{{- include "rollouts.checkedSteps" . -}}
{{- $approval := false }}
{{- range .scope.Values.steps }}
{{- if or .bake .window }}{{ fail "rollouts.steps: bake and window hold a canary's weight; a blueGreen has approval, and the first step's minimum" }}{{ end }}
{{- if .approval }}{{ $approval = true }}{{ end }}
{{- end -}}
blueGreen:
  activeService: {{ .rollout }}-stable
  previewService: {{ .rollout }}-canary
  autoPromotionEnabled: {{ or .scope.Values.fast (not $approval) }} # by the verdict of the probes
  scaleDownDelaySeconds: {{ int .scope.Values.scaleDownDelaySeconds }}
  abortScaleDownDelaySeconds: 5
  {{- if not .scope.Values.fast }}
  prePromotionAnalysis: # the preview starts beside the gateway's release, and is switched to only after it
    {{- include "rollouts.analysis" (merge (dict "step" (first .scope.Values.steps) "after" true) .) | nindent 4 }}
  {{- end }}
  {{- with include "rollouts.switchSeconds" .scope | int }}
  postPromotionAnalysis: # users are there: the old pods stay until it ends, and a fail switches back to them
    {{- include "rollouts.analysis" (merge (dict "seconds" .) $) | nindent 4 }}
  {{- end }}
{{- end }}

{{/* How long a blueGreen is watched after its switch. */}}
{{- define "rollouts.switchSeconds" -}}
{{ ternary .Values.fastWatchSeconds .Values.switchWatchSeconds .Values.fast | int }}
{{- end }}

{{/* Seconds that Argo counts as no progress while gates judge: none in a canary's analysis step, all of them around a blueGreen switch, and the gateway's release. */}}
{{- define "rollouts.judgingSeconds" -}}
{{- $wait := addf (first .scope.Values.steps).minimum .scope.Values.undecided .gateway.seconds (include "rollouts.switchSeconds" .scope) | int }}
{{- ternary $wait 0 (eq .kind "blueGreen") }}
{{- end }}

{{/* For the parent: .kind is canary or blueGreen, .scope this chart's scope, .rollout the Rollout's name, .trafficRouting its router. */}}
{{- define "rollouts.strategy" -}}
{{- include (printf "rollouts.%s" .kind) . }}
{{- end }}
