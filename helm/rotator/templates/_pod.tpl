{{/* What the pods of the daemon and of the jobs have in common. */}}
{{- define "rotator.pod" -}}
serviceAccountName: {{ include "rotator.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What their containers have in common. `api`: mount what the Kubernetes API needs, if something uses it. */}}
{{- define "rotator.container" -}}
{{- $facts := include "rotator.facts" .root | fromYaml -}}
{{- $api := and .api (include "rotator.usesKubernetes" .root) -}}
{{- with .root -}}
image: {{ include "rotator.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.env }}
env:
  {{- range . }}
  - name: {{ .name }}
    valueFrom:
      secretKeyRef:
        name: {{ .secretName }}
        key: {{ .key }}
  {{- end }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/rotator
    readOnly: true
  {{- if $facts.tokenFile }}
  - name: vault-token
    mountPath: {{ dir $facts.tokenFile }}
    readOnly: true
  {{- end }}
  {{- if $api }}
  - name: kubernetes-api
    mountPath: /var/run/secrets/rotator/kubernetes
    readOnly: true
  {{- end }}
  {{- range $index, $files := .Values.secretFiles }}
  - name: secret-{{ $index }}
    mountPath: {{ $files.mountPath }}
    readOnly: true
  {{- end }}
  {{- if .Values.targetFiles }}
  - name: targets
    mountPath: /etc/rotator-targets
    readOnly: true
  {{- end }}
  {{- if .Values.calendars }}
  - name: calendars
    mountPath: /etc/rotator-calendars
    readOnly: true
  {{- end }}
  {{- range $index, $volume := .Values.targetVolumes }}
  - name: targets-{{ $index }}
    mountPath: {{ $volume.mountPath }}
    readOnly: true
  {{- end }}
  {{- range $index, $files := .Values.configMapFiles }}
  - name: configmap-{{ $index }}
    mountPath: {{ $files.mountPath }}
    readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Their volumes, likewise. */}}
{{- define "rotator.volumes" -}}
{{- $root := .root -}}
{{- $facts := include "rotator.facts" .root | fromYaml -}}
{{- $api := and .api (include "rotator.usesKubernetes" .root) -}}
{{- with .root -}}
- name: config
  configMap:
    name: {{ include "rotator.fullname" . }}
{{- if $facts.tokenFile }}
# For Vault alone: the audience keeps anybody who gets hold of it from using it at the Kubernetes API.
- name: vault-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: {{ base $facts.tokenFile }}
          audience: {{ .Values.vaultToken.audience }}
          expirationSeconds: {{ .Values.vaultToken.expirationSeconds }}
{{- end }}
{{- if $api }}
# What hooks and Events need to reach the Kubernetes API, whose token is not that for Vault.
- name: kubernetes-api
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
            {{- if .Values.kubernetesEvents.enabled }}
            - path: pod
              fieldRef:
                fieldPath: metadata.name
            - path: uid
              fieldRef:
                fieldPath: metadata.uid
            {{- end }}
{{- end }}
{{- range $index, $files := .Values.secretFiles }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $files.secretName }}
    defaultMode: 0440
{{- end }}
{{- if .Values.targetFiles }}
- name: targets
  projected:
    sources:
      {{- range $name, $text := .Values.targetFiles }}
      - configMap:
          name: {{ include "rotator.targetFile" (dict "root" $root "name" $name) }}
      {{- end }}
{{- end }}
{{- if .Values.calendars }}
- name: calendars
  configMap:
    name: {{ include "rotator.fullname" . }}-calendars
{{- end }}
{{- range $index, $volume := .Values.targetVolumes }}
- name: targets-{{ $index }}
  {{- toYaml $volume.source | nindent 2 }}
{{- end }}
{{- range $index, $files := .Values.configMapFiles }}
- name: configmap-{{ $index }}
  configMap:
    name: {{ $files.configMapName }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether the daemon uses the Kubernetes API: empty if it does not. */}}
{{- define "rotator.usesKubernetes" -}}
{{- if or .Values.kubernetesHooks.enabled .Values.kubernetesEvents.enabled -}}yes{{- end -}}
{{- end }}
