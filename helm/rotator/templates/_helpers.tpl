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
What the templates need of the configuration, as YAML: port, tokenFile (empty: no token is mounted). Refuses what cannot
work in this pod. Everything else is checked by rotator itself, at its start.
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
{{- $listen := $daemon.listen | default "127.0.0.1:9464" -}}
{{- $host := regexReplaceAll ":[0-9]+$" $listen "" -}}
{{- $port := regexFind "[0-9]+$" $listen | int -}}
{{- if or (hasPrefix "127." $host) (eq $host "localhost") (eq $host "[::1]") -}}
{{- fail (printf "config: daemon.listen is %s, where neither probes nor Prometheus reach it; write 0.0.0.0:9464" $listen) -}}
{{- end -}}
{{- if lt $port 1024 -}}
{{- fail (printf "config: daemon.listen is %s; these pods may not listen below port 1024, nor on a port that is chosen at start: write 0.0.0.0:9464" $listen) -}}
{{- end -}}
{{- $stop := include "rotator.seconds" ($daemon.stop_within | default "45s") | int -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add $stop 10 | int) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short: a stop may take %d seconds (daemon.stop_within of config) and 10 more; write %d or more" (int .Values.terminationGracePeriodSeconds) $stop (add $stop 10)) -}}
{{- end -}}
{{- $auth := $vault.auth | default dict -}}
{{- $token := "" -}}
{{- if eq (toString $auth.method) "kubernetes" -}}
{{- $token = $auth.jwt_file | default "/var/run/secrets/kubernetes.io/serviceaccount/token" -}}
{{- if or (not (hasPrefix "/" $token)) (hasPrefix "/etc/rotator/" $token) -}}
{{- fail "config: vault.auth.jwt_file is an absolute path, and not below /etc/rotator, where the configuration is mounted" -}}
{{- end -}}
{{- end -}}
{{- dict "port" $port "tokenFile" $token | toYaml -}}
{{- end -}}

{{/* The name of the ConfigMap of one file of targets. */}}
{{- define "rotator.targetFile" -}}
{{- printf "%s-targets-%s" (include "rotator.fullname" .root | trunc 40 | trimSuffix "-") (sha256sum .name | trunc 10) }}
{{- end }}
