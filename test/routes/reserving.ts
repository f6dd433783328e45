import type { Api, Body } from '../fixtures/api.ts'

/** A feature of every aggregate, and plans to change to. */
export const PLANS = {
  'plan:free@0': {
    features: {
      'feature:calls': { tiers: [{ upto: 10 }] },
      'feature:soft': { tiers: [{ upto: 10 }], overage: true },
      'feature:open': { tiers: [{}] },
      'feature:visits': { tiers: [{ upto: 3 }], aggregate: 'count' },
      'feature:peak': { tiers: [{ upto: 10 }], aggregate: 'max' },
      'feature:level': { tiers: [{ upto: 10 }], aggregate: 'last' },
      'feature:seats': { tiers: [{ upto: 10 }], aggregate: 'perpetual' },
      'feature:sso': {}
    }
  },
  'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } },
  'plan:peak@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }], aggregate: 'max' } } },
  'plan:tiny@0': { features: { 'feature:calls': { tiers: [{ upto: 2 }] } } },
  'plan:daily@0': { interval: '@daily', features: { 'feature:calls': { tiers: [{ upto: 5 }] } } }
}

/** Of the month that `newOrg` begins in. */
export const WINDOW = { start: '2024-03-10T00:00:00.000Z', end: '2024-04-10T00:00:00.000Z' }

/** What a caller does with reservations, in few words. */
export interface Reserving {
  newOrg (): Promise<string>
  /** For a minute. */
  reserve (org: string, feature: string, n: unknown, more?: Body): Promise<Body>
  settle (what: 'commit' | 'release' | 'extend', reservation: Body, body?: Body): Promise<Body>
  one (reservation: Body): Promise<Body>
  /** Used, and reserved. */
  figures (org: string, feature?: string): Promise<number[]>
}

let orgs = 0

export function reserving (api: Api): Reserving {
  return {
    newOrg: async () => {
      orgs += 1
      await api.on('2024-03-10')
      await api.subscribe(`org:h${orgs}`, 'plan:free@0')
      return `org:h${orgs}`
    },
    reserve: async (org, feature, n, more = {}) => (await api.post('/v1/reservations', { org, feature, n, ttlSeconds: 60, ...more })).body,
    settle: async (what, { id, org }, body = {}) => (await api.post(`/v1/reservations/${encodeURIComponent(id)}/${what}`, { org, ...body })).body,
    one: async ({ id, org }) => (await api.get(`/v1/reservations/${encodeURIComponent(id)}`, { org })).body,
    figures: async (org, feature = 'feature:calls') => {
      const { used, reserved } = await api.can(org, feature)
      return [used, reserved]
    }
  }
}
