import type { Api, Body } from '../fixtures/api.ts'
import { type Kana, kanaOn } from './documented.ts'

/** @returns makes a data set of its own: features calls and sso, users u and v */
export function scenesOn (api: Api, name: string): (now?: string) => Promise<Kana> {
  let environments = 0
  return async (now = '2022-08-10T15:07:01.803Z') => {
    environments += 1
    const kana = await kanaOn(api, `${name}-${environments}`, now)
    await kana.ask('mutation { a: createFeature(input: { id: "calls", type: CONSUMABLE }) { id } b: createFeature(input: { id: "sso", type: BINARY }) { id } }')
    await kana.ask('mutation { a: createUser(input: { id: "u" }) { id } b: createUser(input: { id: "v" }) { id } }')
    return kana
  }
}

export const CREATE_PACKAGE = 'mutation ($input: CreatePackageInput!) { createPackage(input: $input) { id status } }'

/** @param entitlement to calls; null: unlimited */
export async function published (kana: Kana, id: string, entitlement: Body | null, more: Body = {}): Promise<void> {
  await kana.ask(CREATE_PACKAGE, { input: { id, features: { id: 'calls', ...(entitlement !== null && { entitlement }) }, ...more } })
  await kana.v1('POST', `/plans/plan:${id}@0/publish`)
}

export function limited (limit: number, more: Body = {}): Body {
  return { limit, resetPeriod: 'MONTH', ...more }
}

export async function subscribe (kana: Kana, ...packageIds: string[]): Promise<Body[]> {
  return (await kana.ask(
    'mutation ($packageIds: [String!]!) { subscribe(packageIds: $packageIds, userId: "u") { id status package { id } } }', { packageIds })).subscribe
}

export async function can (kana: Kana, delta = 1, featureId = 'calls'): Promise<Body> {
  return (await kana.ask(
    'query ($d: Int, $f: String!) { canUseFeature(userId: "u", featureId: $f, delta: $d) { access reason consumption { used budget overageEnabled } } }',
    { d: delta, f: featureId })).canUseFeature
}

export async function record (kana: Kana, delta: number, action = 'ADD', featureId = 'calls'): Promise<Body> {
  return (await kana.ask(
    'mutation ($input: CreateUsageEventInput!) { recordUsage(input: $input) { recorded reason } }',
    { input: { userId: 'u', featureId, delta, action } })).recordUsage
}

export async function shown (kana: Kana, featureId = 'calls'): Promise<Body> {
  return (await kana.ask(`query ($f: String!) { showUsage(userId: "u", featureId: $f) {
    current { periodStart periodEnd consumption { used budget } } past { periodStart periodEnd consumption { used budget } } } }`, { f: featureId })).showUsage
}

export async function used (kana: Kana): Promise<number> {
  return (await can(kana)).consumption.used
}
