import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ROOT } from '../fixtures/root.ts'
import { parseDockerfile, type Stage } from './dockerfile.ts'
import { settings } from './settings.ts'

export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string, readonly labels: Readonly<Record<string, string>> }
  readonly spec?: any
}

const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8')

/** How long the service lets itself drain. */
export function drainSeconds (): number {
  const [, ms] = /^const DRAIN_TIMEOUT_MS = ([\d_]+)$/m.exec(read('src/server.ts')) ?? []
  if (ms === undefined) throw new Error('src/server.ts does not say how long it drains')
  return Number(ms.replaceAll('_', '')) / 1_000
}

export function image (): Stage {
  return parseDockerfile(read('Dockerfile')).at(-1) as Stage
}

export function podOf (object: KubernetesObject): any {
  return object.spec?.template?.spec
}

/** What the schema of the API cannot know: that the objects fit each other, the image, and Tollgate. */
export function podRules (objects: readonly KubernetesObject[], values: Readonly<Record<string, string>>): void {
  const byKind = new Map(objects.map(object => [object.kind, object]))
  const workload = byKind.get('Deployment') ?? byKind.get('StatefulSet')
  if (workload === undefined) throw new Error('nothing runs')
  const pod = podOf(workload)
  const [container] = pod.containers
  const stage = image()

  const [uid, gid] = stage.user.split(':').map(Number)
  deepEqual([pod.securityContext.runAsUser, pod.securityContext.runAsGroup, pod.securityContext.runAsNonRoot], [uid, gid, true])
  deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
  deepEqual(container.volumeMounts.map((mount: { mountPath: string }) => mount.mountPath), stage.volumes)
  deepEqual(container.ports.map((port: { containerPort: number }) => `${port.containerPort}`), stage.ports)

  const preStop = Number(container.lifecycle.preStop.exec.command.at(-1))
  equal(preStop, Number(values.preStopSeconds ?? 5))
  ok(pod.terminationGracePeriodSeconds > preStop + drainSeconds(), 'time to drain')

  const { paths } = parse(read('openapi.yaml')) as { paths: Record<string, unknown> }
  for (const [probe, path] of [['startupProbe', '/healthz'], ['livenessProbe', '/healthz'], ['readinessProbe', '/readyz']] as const) {
    equal(container[probe].httpGet.path, path)
    equal(container[probe].httpGet.port, container.ports[0].name)
    ok(path in paths)
  }

  const entries = container.env as Array<{ name: string, value?: unknown, valueFrom?: unknown }>
  const names = entries.map(({ name }) => name)
  equal(new Set(names).size, names.length, 'no variable is set twice')
  const known = [...settings.map(({ name }) => name), 'NODE_OPTIONS']
  deepEqual(names.filter(name => !known.includes(name)), [])
  const secret = entries.filter(({ valueFrom }) => valueFrom !== undefined).map(({ name }) => name)
  const wanted = ['TOLLGATE_ADMIN_KEY', ...values.ledger === 'embedded' ? [] : ['DATABASE_URL'], ...values.mirror === 'none' ? [] : ['REDIS_URL']]
  deepEqual(secret, wanted)
  for (const { name, value, valueFrom } of entries) ok(valueFrom !== undefined || typeof value === 'string', `${name} is text`)

  const labels = workload.spec.template.metadata.labels
  const budget = byKind.get('PodDisruptionBudget')?.spec.selector.matchLabels ?? {}
  for (const selector of [workload.spec.selector.matchLabels, byKind.get('Service')?.spec.selector, budget]) {
    for (const [name, value] of Object.entries(selector)) equal(labels[name], value)
  }
  equal(byKind.get('Service')?.spec.ports[0].targetPort, container.ports[0].name)
  const scaled = byKind.get('HorizontalPodAutoscaler')?.spec.scaleTargetRef
  if (scaled !== undefined) {
    deepEqual([scaled.kind, scaled.name], [workload.kind, workload.metadata.name])
    equal(workload.spec.replicas, undefined, 'else an upgrade would undo what the autoscaler did')
  }
  for (const rule of byKind.get('Ingress')?.spec.rules ?? []) {
    for (const { path, backend } of rule.http.paths) {
      equal(backend.service.name, byKind.get('Service')?.metadata.name)
      ok(!['/', '/metrics'].includes(path), 'figures stay inside')
    }
  }
  if (workload.kind === 'StatefulSet') {
    equal(workload.spec.volumeClaimTemplates[0].metadata.name, container.volumeMounts[0].name)
    ok(workload.spec.replicas <= 1)
  }
}
