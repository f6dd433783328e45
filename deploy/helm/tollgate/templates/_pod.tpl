{{- /* The same pod, whether a Deployment makes it or a StatefulSet. */ -}}
{{- define "tollgate.pod" -}}
{{- $drainSeconds := 30 -}}
metadata:
  labels:
    {{- include "tollgate.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    prometheus.io/scrape: 'true'
    prometheus.io/path: /metrics
    prometheus.io/port: '8080'
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "tollgate.serviceAccount" . }}
  automountServiceAccountToken: false
  # After preStop it drains, and ends by itself within {{ $drainSeconds }} s.
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds $drainSeconds 5 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: tollgate
      image: {{ include "tollgate.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      env:
        - name: HOST
          value: 0.0.0.0
        - name: PORT
          value: '8080'
        - name: TOLLGATE_DATA_DIR
          value: /data
        {{- range $name, $value := .Values.settings }}
        - name: {{ $name }}
          {{- /* A whole number from values is a float to Helm, and large ones would be written with an exponent. */}}
          value: {{ (kindIs "string" $value | ternary $value (printf "%d" (int64 $value))) | quote }}
        {{- end }}
        {{- $secret := required "secret.name is needed: a Secret with TOLLGATE_ADMIN_KEY, and DATABASE_URL and REDIS_URL as the ledger and the mirror need them" .Values.secret.name }}
        {{- range (list "TOLLGATE_ADMIN_KEY" (eq .Values.ledger "postgres" | ternary "DATABASE_URL" "") (eq .Values.mirror "redis" | ternary "REDIS_URL" "") | compact) }}
        - name: {{ . }}
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ . }}
        {{- end }}
      ports:
        - name: http
          containerPort: 8080
      startupProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: {{ div .Values.startupSeconds 2 }}
      # A pod that has lost its database is not restarted, for that would not help; it gets no requests.
      livenessProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 10
        timeoutSeconds: 3
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /readyz
          port: http
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      lifecycle:
        preStop:
          exec:
            command: [sleep, {{ .Values.preStopSeconds | quote }}]
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: data
          mountPath: /data
  {{- if eq .Values.ledger "postgres" }}
  volumes:
    # The image's volume, which nothing is written to.
    - name: data
      emptyDir: {}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "tollgate.selector" . | nindent 10 }}
    {{- end }}
{{- end -}}
