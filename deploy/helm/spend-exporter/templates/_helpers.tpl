{{/* A name with spend-exporter in it: the rules find the exporter by its job, which has this name. */}}
{{- define "spend-exporter.name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains "spend-exporter" .Release.Name -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-spend-exporter" (.Release.Name | trunc 38 | trimSuffix "-") }}
{{- end -}}
{{- end }}

{{- define "spend-exporter.selector" -}}
app.kubernetes.io/name: spend-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spend-exporter.labels" -}}
{{ include "spend-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "spend-exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "spend-exporter.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "spend-exporter.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* What is served: refused where none, or more than one, is chosen. */}}
{{- define "spend-exporter.check" -}}
{{- $chosen := 0 -}}
{{- range list .Values.config .Values.demo .Values.existingConfig.configMap .Values.existingConfig.secret -}}
{{- if . }}{{ $chosen = add1 $chosen }}{{ end -}}
{{- end -}}
{{- if ne (int $chosen) 1 -}}
{{- fail "spend-exporter: set exactly one of config (the exporter's configuration), existingConfig.configMap, existingConfig.secret and demo: true. docs/deploy.md has an example." -}}
{{- end -}}
{{- if and .Values.web.secret (not .Values.config) -}}
{{- fail "spend-exporter: web.secret needs config, to which it adds web_config_file. With existingConfig, mount the Secret by extraVolumes and name the file in your own configuration; the demo has neither TLS nor users." -}}
{{- end -}}
{{- if and (or .Values.web.tls .Values.web.users .Values.web.clientCertificates) (not (or .Values.web.secret .Values.existingConfig.configMap .Values.existingConfig.secret)) -}}
{{- fail "spend-exporter: web.tls, web.users and web.clientCertificates say what web.yml has; name the Secret that has it with web.secret." -}}
{{- end -}}
{{- end }}

{{/* A probe of the path. The kubelet has neither a user nor a certificate, so there it only connects. */}}
{{- define "spend-exporter.probe" -}}
{{- if or .root.Values.web.users .root.Values.web.clientCertificates -}}
tcpSocket: {port: metrics}
{{- else -}}
httpGet: {path: {{ .path }}, port: metrics, scheme: {{ ternary "HTTPS" "HTTP" .root.Values.web.tls }}}
{{- end -}}
{{- end }}
