import { pick, type Random } from '../e2e/random.ts'
import type { Sent } from '../e2e/mixed-load.ts'
import { commitId } from '../../src/domain/ids.ts'
import { MIXED, TIGHT } from './plans.ts'

const PAST_MS = 2 * 3_600_000
/** Seconds. */
const HELD_FOR = { settled: 600, left: 1 }

/** For as long as what is left to expire may still be held. */
export const LEFT_MS = HELD_FOR.left * 1_000

export interface Asked {
  readonly random: Random
  readonly org: string
  /** A new one. */
  readonly id: string
  /** The id of an event that was counted, and is corrected by nobody else. */
  readonly earlier: string | undefined
}

/** One request, the same however often it is sent. */
export interface Call {
  readonly path: string
  readonly body: unknown
  /** The id of the event that it makes, if it is allowed. */
  readonly event?: string
  /** What that event says, where it is no more than was sent. */
  readonly sent?: Sent
  /** Its event may be corrected later. */
  readonly correctable?: true
  /** A hard limit decides, of so much. */
  readonly asks?: number
}

export interface Operation {
  readonly name: string
  readonly weight: number
  /** It is about an event that was counted. */
  readonly corrects?: true
  /** undefined: there is nothing to do it to. */
  call (asked: Asked): Call | undefined
  /** What the same caller does next, unless it was refused. */
  next?: (asked: Asked) => Operation
}

type Use = Omit<Sent, 'org' | 'id'>

function report (name: string, weight: number, use: (random: Random) => Use): Operation {
  return {
    name,
    weight,
    call: ({ random, org, id }) => {
      const sent = { org, id, ...use(random) }
      const correctable = sent.feature !== TIGHT && sent.clobber === undefined && Number(sent.n) >= 0
      return { path: '/v1/report', body: sent, event: id, sent, ...(correctable && { correctable }) }
    }
  }
}

function past (random: Random): string {
  return new Date(Date.now() - random(PAST_MS)).toISOString()
}

function correction (kind: 'void' | 'amend', weight: number, content: (random: Random) => object): Operation {
  return {
    name: kind,
    weight,
    corrects: true,
    call: ({ random, org, id, earlier }) => earlier === undefined
      ? undefined
      : { path: `/v1/events/${earlier}/${kind}`, body: { org, id, ...content(random) }, event: id }
  }
}

function hold (name: string, weight: number, ttlSeconds: number, next?: Operation['next']): Operation {
  return {
    name,
    weight,
    call: ({ random, org, id }) => {
      const n = 1 + random(20)
      return { path: '/v1/reservations', body: { org, feature: TIGHT, n, ttlSeconds, id }, asks: n }
    },
    ...(next !== undefined && { next })
  }
}

/** All that is held, or one of it. */
function commit (reservation: string): Operation {
  return {
    name: 'commit',
    weight: 0,
    call: ({ random, org }) => ({
      path: `/v1/reservations/${reservation}/commit`, body: { org, ...(random(2) === 0 && { n: 1 }) }, event: commitId(reservation)
    })
  }
}

function release (reservation: string): Operation {
  return { name: 'release', weight: 0, call: ({ org }) => ({ path: `/v1/reservations/${reservation}/release`, body: { org } }) }
}

const consume: Operation = {
  name: 'consume',
  weight: 25,
  call: ({ random, org, id }) => {
    const n = 1 + random(12)
    const sent = { org, feature: TIGHT, n, id }
    return { path: '/v1/consume', body: sent, event: id, sent, asks: n }
  }
}

/** What reporters do; how often, says the weight. */
export const OPERATIONS: readonly Operation[] = [
  report('add', 35, random => ({ feature: pick(random, MIXED), n: random(30) })),
  report('add a fraction', 5, random => ({ feature: 'feature:sum', n: random(30_000) / 1_000 })),
  report('add late', 5, random => ({ feature: pick(random, MIXED), n: random(30), at: past(random) })),
  report('take away', 5, random => ({ feature: 'feature:sum', n: -random(40) })),
  report('clobber', 5, random => ({ feature: pick(random, MIXED), n: random(500), clobber: true })),
  report('make room', 5, random => ({ feature: TIGHT, n: -random(80) })),
  consume,
  hold('hold', 8, HELD_FOR.settled, ({ random, id }) => random(3) === 0 ? release(id) : commit(id)),
  hold('hold and forget', 2, HELD_FOR.left),
  correction('void', 3, () => ({})),
  correction('amend', 3, random => ({ n: random(30) }))
]
