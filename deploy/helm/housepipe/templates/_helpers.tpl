{{- define "housepipe.name" -}}
{{- if contains "housepipe" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-housepipe" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "housepipe.selector" -}}
app.kubernetes.io/name: housepipe
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "housepipe.labels" -}}
{{ include "housepipe.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "housepipe.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "housepipe.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "housepipe.claim" -}}
{{- .Values.state.volume.existingClaim | default (printf "%s-state" (include "housepipe.name" .)) -}}
{{- end -}}

{{/* What would come up and not work is refused here, with its mend. */}}
{{- define "housepipe.refusals" -}}
{{- if not .Values.state.postgres.secretName -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "several replicas need their state in PostgreSQL: set state.postgres.secretName, or replicas to 1" -}}
{{- end -}}
{{- else if not .Values.secretKey.secretName -}}
{{- fail "a state in PostgreSQL needs the same key for each process: set secretKey.secretName" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "the API answers under names that it knows: set ingress.host" -}}
{{- end -}}
{{- $annotations := merge dict .Values.ingress.annotations .Values.service.annotations -}}
{{- if and .Values.ingress.enabled .Values.tls.secretName (not (regexMatch "backend-protocol|serversscheme|backend-https" (keys $annotations | join " "))) -}}
{{- fail "the ingress would speak HTTP to an API that speaks HTTPS: leave out tls.secretName, or say so by an annotation such as nginx.ingress.kubernetes.io/backend-protocol: HTTPS" -}}
{{- end -}}
{{- with .Values.resources -}}
{{- $limit := dig "limits" "memory" "" . | toString -}}
{{- $mib := 0 -}}
{{- if hasSuffix "Mi" $limit -}}{{- $mib = trimSuffix "Mi" $limit | int -}}{{- end -}}
{{- if hasSuffix "Gi" $limit -}}{{- $mib = mulf 1024 (trimSuffix "Gi" $limit | float64) | int -}}{{- end -}}
{{- if and $mib (lt $mib (div (mul (int $.Values.memoryMib) 5) 4 | int)) -}}
{{- fail "resources.limits.memory has to be five quarters of memoryMib at least, or the pod is killed as soon as there is much to do" -}}
{{- end -}}
{{- end -}}
{{- end -}}
