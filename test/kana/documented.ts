import { readFileSync } from 'node:fs'
import type { Api, Body } from '../fixtures/api.ts'

/** Every request and response that Kana's documents print; `how` says how they are to be run. */
export interface Documented {
  readonly fixtures: Readonly<Record<string, Fixture>>
  readonly examples: readonly Example[]
}

export interface Example {
  readonly id: string
  readonly kind: 'query' | 'mutation' | 'error'
  readonly fixture: string
  readonly query: string
  readonly variables: Body
  readonly documentedQuery: string | null
  readonly documentedVariables: Body | null
  readonly expected: Body
}

export interface Fixture {
  readonly now: string
  readonly features?: ReadonlyArray<{ id: string, name: string, type: string, unitLabel: string, unitLabelPlural: string, metadata: Body }>
  readonly users?: ReadonlyArray<{ id: string, billingId: string, name: string, email: string, metadata: Body }>
  readonly packages?: readonly FixturePackage[]
  readonly subscriptions?: ReadonlyArray<{ id: string, userId: string, packageId: string, status: string, startedAt: string }>
  readonly usage?: ReadonlyArray<{ userId: string, featureId: string, delta: number, action: string, at: string }>
  readonly billingTemplates?: ReadonlyArray<{ id: string, packageId: string, priceId: string }>
}

interface FixturePackage {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly isAddon: boolean
  readonly metadata: Body
  readonly updatedAt: string
  readonly features: ReadonlyArray<{ id: string, limit: number | null, resetPeriod: string, overageEnabled: boolean }>
  readonly prices: ReadonlyArray<{
    id: string, provider: string, amount: number, displayAmount: string, currency: string, interval: unknown
  }>
}

export const documented = JSON.parse(readFileSync(new URL('kana-examples.json', import.meta.url), 'utf8')) as Documented

/** One data set of Kana's: a key, and a test clock on which everything of it happens. */
export interface Kana {
  /** The same packages, on another clock, where nobody is yet. */
  elsewhere (present: string): Promise<Kana>
  /** @param variables text is sent as it is */
  graphql (query: string, variables?: Body | string, headers?: Record<string, string>): Promise<Body>
  /** What came under `data`. @throws Error if there were errors */
  ask (query: string, variables?: Body): Promise<Body>
  /** Under `/v1`. @throws Error if it was refused */
  v1 (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: Body): Promise<Body>
  /** Moves the clock forward. */
  at (time: string): Promise<void>
}

/** @param key of an environment of its own, made by whoever runs the server, who asks with `api` */
export async function kanaOn (api: Api, environment: string, present: string): Promise<Kana> {
  const { body: { key } } = await api.post('/v1/keys', { kind: 'private', scopes: ['admin'], name: environment, environment })
  return await onClock(api, String(key), present)
}

async function onClock (api: Api, authorization: string, present: string): Promise<Kana> {
  const { body: clock } = await api.post('/v1/clock', { name: 'kana', present }, { authorization })
  return kanaWith(api, { authorization, 'tier-clock': String(clock.id) })
}

export function kanaWith (api: Api, headers: Record<string, string>): Kana {
  const graphql: Kana['graphql'] = async (query, variables, more = {}) => {
    const { status, body } = await api.post('/graphql', { query, ...(variables !== undefined && { variables }) }, { ...headers, ...more })
    if (status !== 200) throw new Error(`/graphql answered ${status}: ${JSON.stringify(body)}`)
    return body
  }
  const v1: Kana['v1'] = async (method, path, sent) => {
    const { status, raw, body } = await api.send({ method, url: `/v1${path}`, headers, ...(sent !== undefined && { payload: sent }) })
    if (status !== 200) throw new Error(`${method} ${path} answered ${raw}`)
    return body
  }
  return {
    graphql,
    elsewhere: async present => await onClock(api, headers.authorization as string, present),
    ask: async (query, variables) => {
      const { data, errors } = await graphql(query, variables)
      if (errors !== undefined) throw new Error(`${query} answered ${JSON.stringify(errors)}`)
      return data
    },
    v1,
    at: async time => {
      const present = new Date(time).toISOString()
      const id = headers['tier-clock'] as string
      const { present: now } = await v1('GET', `/clock?id=${id}`)
      if (present > String(now)) {
        const { body, status } = await api.post('/v1/clock', { id, present }, { authorization: headers.authorization as string })
        if (status !== 200) throw new Error(JSON.stringify(body))
      }
    }
  }
}

const CREATE_FEATURE = 'mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { id } }'
const CREATE_USER = 'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }'
const CREATE_PACKAGE = 'mutation ($input: CreatePackageInput!) { createPackage(input: $input) { id } }'
const SUBSCRIBE = 'mutation ($packageIds: [String!]!, $userId: String!) { subscribe(packageIds: $packageIds, userId: $userId) { id } }'
const RECORD = 'mutation ($input: CreateUsageEventInput!) { recordUsage(input: $input) { recorded reason } }'

/** When a data set begins: before anything in it. */
export function beginningOf ({ packages = [], subscriptions = [], now }: Fixture): string {
  return [now, ...packages.map(({ updatedAt }) => updatedAt), ...subscriptions.map(({ startedAt }) => startedAt)].sort()[0] as string
}

/** Sets up a data set as a customer would: in the order in which it happened, each thing at its time, through public calls alone. */
export async function loadPackages (kana: Kana, fixture: Fixture): Promise<void> {
  for (const input of fixture.features ?? []) await kana.ask(CREATE_FEATURE, { input })
  for (const item of [...fixture.packages ?? []].sort((a, b) => a.updatedAt < b.updatedAt ? -1 : 1)) await loadPackage(kana, item)
  for (const { id, packageId, priceId } of fixture.billingTemplates ?? []) {
    await kana.v1('POST', '/billing-templates', { id, plan: `plan:${packageId}@0`, price: priceId })
  }
}

/** And then who uses them. */
export async function loadUsers (kana: Kana, fixture: Fixture): Promise<void> {
  for (const input of fixture.users ?? []) await kana.ask(CREATE_USER, { input })
  let next = 1
  for (const { id, userId, packageId, status, startedAt } of fixture.subscriptions ?? []) {
    await kana.at(startedAt)
    // Ids are counted: those that were given before went to somebody who is gone.
    for (; next < Number(id); next += 1) await passOver(kana, packageId)
    await kana.ask(SUBSCRIBE, { userId, packageIds: [packageId] })
    if (status === 'CANCELLED') await kana.v1('PATCH', `/subscriptions/${id}`, { status: 'cancelled' })
    next += 1
  }
  for (const { at, ...input } of fixture.usage ?? []) {
    await kana.at(at)
    await kana.ask(RECORD, { input })
  }
  await kana.at(fixture.now)
}

async function loadPackage (kana: Kana, item: FixturePackage): Promise<void> {
  const { id, name, isAddon, metadata, features, status, updatedAt, prices } = item
  await kana.at(updatedAt)
  const entitled = features.map(({ id, ...entitlement }) => ({ id, entitlement }))
  await kana.ask(CREATE_PACKAGE, { input: { id, name, isAddon, metadata, features: entitled } })
  const linked = prices.map(({ displayAmount: _displayAmount, ...price }) => price)
  if (linked.length > 0) await kana.v1('PUT', `/plans/plan:${id}@0/prices`, { prices: linked })
  if (status !== 'DRAFT') await kana.v1('POST', `/plans/plan:${id}@0/publish`)
  if (status === 'ARCHIVED') await kana.v1('POST', `/plans/plan:${id}@0/archive`)
}

async function passOver (kana: Kana, packageId: string): Promise<void> {
  await kana.ask(CREATE_USER, { input: { id: 'passer-by' } })
  await kana.ask(SUBSCRIBE, { userId: 'passer-by', packageIds: [packageId] })
  await kana.v1('DELETE', '/orgs/org:passer-by?confirm=org:passer-by')
}

/** Where an answer is not as expected: what is expected must be there, other members may be. */
export function differences (expected: unknown, actual: unknown, path = ''): string[] {
  const says = (): string[] => [`${path || 'the answer'} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`]
  if (typeof expected !== 'object' || expected === null) return Object.is(expected, actual) ? [] : says()
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return says()
    return expected.flatMap((item, i) => differences(item, actual[i], `${path}[${i}]`))
  }
  const { $type, $match } = expected as Body
  if ($match !== undefined) return typeof actual === 'string' && new RegExp($match).test(actual) ? [] : says()
  if ($type === 'string') return typeof actual === 'string' ? [] : says()
  if ($type === 'datetime') return typeof actual === 'string' && new Date(actual).toISOString() === actual ? [] : says()
  if (typeof actual !== 'object' || actual === null) return says()
  return Object.entries(expected).flatMap(([name, value]) => Object.hasOwn(actual, name)
    ? differences(value, (actual as Body)[name], `${path}.${name}`)
    : [`${path}.${name} is missing`])
}
