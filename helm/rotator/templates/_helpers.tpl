{{/* The full name: the release's, followed by the chart's unless the release's contains it. */}}
{{- define "rotator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: selectors are made of them. */}}
{{- define "rotator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rotator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "rotator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "rotator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "rotator.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name: required if serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "rotator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A length of time of the configuration, such as 1m30s, in seconds. Anything else is left to check-config. */}}
{{- define "rotator.seconds" -}}
{{- $units := dict "d" 86400 "h" 3600 "m" 60 "s" 1 -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+[dhms]" (toString .) -1 -}}
{{- $total = add $total (mul (trimSuffix (regexFind "[dhms]" .) . | int64) (get $units (regexFind "[dhms]" .))) -}}
{{- end -}}
{{- $total -}}
{{- end -}}

{{/*
Refuses what may be there once only: a second one the API refuses, or takes in place of the first.
*/}}
{{- define "rotator.distinct" -}}
{{- $paths := dict -}}
{{- range concat .Values.secretFiles .Values.configMapFiles .Values.targetVolumes -}}
{{- if hasKey $paths .mountPath -}}
{{- fail (printf "mountPath %s is named twice among secretFiles, configMapFiles and targetVolumes: give each a folder of its own" .mountPath) -}}
{{- end -}}
{{- $_ := set $paths .mountPath true -}}
{{- end -}}
{{- $names := dict -}}
{{- range .Values.env -}}
{{- if hasKey $names .name -}}
{{- fail (printf "env: %s is named twice: leave one out" .name) -}}
{{- end -}}
{{- $_ := set $names .name true -}}
{{- end -}}
{{- $own := fromYaml (include "rotator.labels" .) -}}
{{- range $label, $_ := .Values.podLabels -}}
{{- if hasKey $own $label -}}
{{- fail (printf "podLabels: %s is the chart's own: leave it out" $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
What the templates need of the configuration, as YAML: port, probes, scheme, tokenFile (empty: no token is mounted).
Refuses what cannot work in this pod. Everything else is checked by rotator itself, at its start.
*/}}
{{- define "rotator.facts" -}}
{{- $config := fromYaml .Values.config -}}
{{- if or (hasKey $config "Error") (not $config) -}}
{{- fail "config: is not a YAML mapping; give the text of a configuration file, and check it with `rotator check-config`" -}}
{{- end -}}
{{- $daemon := $config.daemon | default dict -}}
{{- $vault := $config.vault | default dict -}}
{{- if $vault.embedded -}}
{{- fail "config: vault.embedded needs a disk, and these pods have none; name a server in vault.address" -}}
{{- end -}}
{{- if ($config.audit | default dict).file -}}
{{- fail "config: audit.file needs a disk, and these pods have none; leave it out, and the audit goes to standard output" -}}
{{- end -}}
{{- $http := $daemon.http | default dict -}}
{{- $port := include "rotator.port" (dict "key" "listen" "address" $http.listen "usual" "9464" "whom" "Prometheus") | int -}}
{{- $probes := include "rotator.port" (dict "key" "probes" "address" $http.probes "usual" "9465" "whom" "the kubelet") | int -}}
{{- if eq $port $probes -}}
{{- fail (printf "config: daemon.http.probes has the port of daemon.http.listen, %d; give the probes a port of their own" $port) -}}
{{- end -}}
{{- $monitored := or .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- if and $monitored (ne (empty $http.token) (empty .Values.scrape.tokenSecret.name)) -}}
{{- fail "scrape.tokenSecret: name the Secret with the token of daemon.http.token of config, so that Prometheus sends it; without such a token leave it empty" -}}
{{- end -}}
{{- $stop := include "rotator.seconds" ($daemon.stop_within | default "45s") | int -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add $stop 10 | int) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short: a stop may take %d seconds (daemon.stop_within of config) and 10 more; write %d or more" (int .Values.terminationGracePeriodSeconds) $stop (add $stop 10)) -}}
{{- end -}}
{{- $events := "" -}}
{{- range $name, $route := $config.notifications | default dict -}}
{{- if eq (toString $route.to) "kubernetes-events" -}}
{{- $events = $name -}}
{{- end -}}
{{- end -}}
{{- if and $events (not .Values.kubernetesEvents.enabled) -}}
{{- fail (printf "config: notifications.%s writes Events, which these pods may not; set kubernetesEvents.enabled: true" $events) -}}
{{- end -}}
{{- if and .Values.kubernetesEvents.enabled (not $events) -}}
{{- fail "kubernetesEvents: no route writes Events; add one to config, such as `notifications: {cluster: {to: kubernetes-events}}`, or set enabled: false" -}}
{{- end -}}
{{- include "rotator.distinct" . -}}
{{- $auth := $vault.auth | default dict -}}
{{- $token := "" -}}
{{- if eq (toString $auth.method) "kubernetes" -}}
{{- $token = $auth.jwt_file | default "/var/run/secrets/kubernetes.io/serviceaccount/token" -}}
{{- if or (not (hasPrefix "/" $token)) (hasPrefix "/etc/rotator/" $token) -}}
{{- fail "config: vault.auth.jwt_file is an absolute path, and not below /etc/rotator, where the configuration is mounted" -}}
{{- end -}}
{{- end -}}
{{- dict "port" $port "probes" $probes "scheme" (empty $http.tls | ternary "http" "https") "tokenFile" $token | toYaml -}}
{{- end -}}

{{/* The port of an address of daemon.http. Refuses one that cannot be reached, or opened, in this pod. */}}
{{- define "rotator.port" -}}
{{- $address := .address | default (printf "127.0.0.1:%s" .usual) -}}
{{- $host := regexReplaceAll ":[0-9]+$" $address "" -}}
{{- $port := regexFind "[0-9]+$" $address | int -}}
{{- if or (hasPrefix "127." $host) (eq $host "localhost") (eq $host "[::1]") -}}
{{- fail (printf "config: daemon.http.%s is %s, where %s does not reach it; write 0.0.0.0:%s" .key $address .whom .usual) -}}
{{- end -}}
{{- if lt $port 1024 -}}
{{- fail (printf "config: daemon.http.%s is %s; these pods may not listen below port 1024, nor on a port that is chosen at start: write 0.0.0.0:%s" .key $address .usual) -}}
{{- end -}}
{{- $port -}}
{{- end -}}

{{/* How Prometheus reads /metrics: the endpoint of a monitor, but for its port. */}}
{{- define "rotator.scrape" -}}
{{- $facts := include "rotator.facts" . | fromYaml -}}
path: /metrics
{{- if eq $facts.scheme "https" }}
scheme: https
{{- with .Values.scrape.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.scrape.tokenSecret }}
{{- if .name }}
authorization:
  credentials:
    name: {{ .name }}
    key: {{ .key }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The name of the ConfigMap of one file of targets. */}}
{{- define "rotator.targetFile" -}}
{{- printf "%s-targets-%s" (include "rotator.fullname" .root | trunc 40 | trimSuffix "-") (sha256sum .name | trunc 10) }}
{{- end }}

{{/* What begins the name of a job, short enough for Kubernetes: a CronJob's has at most 52 characters. */}}
{{- define "rotator.jobName" -}}
{{- printf "%s-%s" (include "rotator.fullname" .root | trunc 42 | trimSuffix "-") .name }}
{{- end }}
