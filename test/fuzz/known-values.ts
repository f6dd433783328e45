import type { Seed } from './value.ts'

const VALUES_MAX = 40
/** The first to be learned are those of the seeded data, which lead furthest; they stay. */
const KEPT = 20
/** Every so many picks, a value of another collection is taken. */
const STRAY = 5

/** What the service has shown or taken, by the name it had there, so that later requests can name things that exist. */
export interface KnownValues {
  /** @param template where the answer came from: the id of a key is none of an event */
  learn (template: string, body: unknown): void
  pick (template: string, seed: Seed): string
}

export function knownValues (): KnownValues {
  const pools = new Map<string, string[]>()

  function add (name: string, value: string): void {
    const pool = pools.get(name) ?? []
    pools.set(name, pool)
    if (pool.includes(value)) return
    if (pool.length < VALUES_MAX) pool.push(value)
    else pool.splice(KEPT, 1) && pool.push(value)
  }

  function walk (template: string, name: string, value: unknown): void {
    if (typeof value === 'string' || typeof value === 'number') {
      for (const pool of [name, ...collectionsOf(template).map(collection => `${collection} ${name}`), '']) add(pool, String(value))
    } else if (Array.isArray(value)) {
      for (const item of value) walk(template, name, item)
    } else if (typeof value === 'object' && value !== null) {
      for (const [member, inner] of Object.entries(value)) walk(template, nameOf(member), inner)
    }
  }

  return {
    learn: (template, body) => walk(template, '', body),
    pick: (template, { seed, pick }) => {
      const name = nameOf(seed)
      const own = pick % STRAY === 0 ? undefined : pools.get(`${collectionsOf(template)[0]} ${name}`)
      const pool = own ?? pools.get(name) ?? pools.get('') ?? []
      return pool[pick % Math.max(1, pool.length)] ?? ''
    }
  }
}

/** `/v1/events` of `/v1/events/{id}`; of `/v1/orgs/{org}/subscriptions` also `/v1/subscriptions`, where they can be asked for alone. */
function collectionsOf (template: string): [string, ...string[]] {
  const [first = template, ...others] = template.split(/\/\{\w+\}/)
  return [first, ...others.filter(part => part !== '').map(part => `/v1${part}`)]
}

function nameOf (member: string): string {
  return /cursor$/i.test(member) ? 'cursor' : member
}
