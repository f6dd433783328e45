import { amountText, type Amount } from '../../src/domain/amount.ts'
import { allowedReason, over } from '../../src/domain/counter.ts'
import { TollgateError } from '../../src/errors.ts'
import { canAll } from '../../src/operations/can.ts'
import { consume } from '../../src/operations/consume.ts'
import { correct } from '../../src/operations/corrections.ts'
import { endOverride, putOverride } from '../../src/operations/overrides.ts'
import { report } from '../../src/operations/report.ts'
import {
  commitReservation, extendReservation, listReservations, releaseReservation, type Refused, type Reservation, reserve
} from '../../src/operations/reservations.ts'
import { subscribe } from '../../src/operations/subscribe.ts'
import { usage } from '../../src/operations/usage.ts'
import type { Stores } from '../../src/storage/stores.ts'
import { refOf } from './plans.ts'
import { windowText } from './reference.ts'
import type { Answer, Change, Request } from './request.ts'

const RESERVATIONS_MAX = 1_000
const REASON = 'a model says so'

/** One org of one environment, as one replica has it. */
export interface Place {
  readonly stores: Stores
  readonly environment: string
  readonly org: string
}

/** What the service says. */
export async function asked (place: Place, request: Request): Promise<Answer> {
  return await orRefused(async () => await askedOf(place, request))
}

async function askedOf (place: Place, request: Request): Promise<Answer> {
  const { stores, environment, org } = place
  const named = 'reservation' in request ? { environment, org, orgPointer: '/org', id: request.reservation } : undefined as never
  switch (request.do) {
    case 'report': {
      const { used, reserved, limit, remaining, window, duplicate, voided } = await report(stores, usageOf(place, request))
      return texts({ used, reserved, limit, remaining, window: windowText(window), duplicate, voided })
    }
    case 'consume': {
      const { id: _, org: _org, feature: _feature, window, now: _now, ...rest } =
        await consume(stores, usageOf(place, request))
      return texts({ ...rest, window: window === null ? null : windowText(window) })
    }
    case 'reserve': {
      const { feature, n, ttlSeconds, id } = request
      const held = await reserve(stores, { environment, org, feature, n, ttlSeconds, id, idPointer: '/id' })
      return held.ok ? { ok: true, ...shown(held.reservation), duplicate: held.duplicate } : refused(held)
    }
    case 'commit': {
      const answer = await commitReservation(stores, named, request.n)
      if (!answer.ok) return refused(answer)
      const { usedAfter: used, reservedAfter: reserved, limitAfter: limit, delta, window, reason, duplicate, voided } = answer.recorded
      return texts({
        ok: true,
        reason: allowedReason({ limit, used, reserved, delta }),
        used,
        reserved,
        limit,
        remaining: limit === null ? null : limit > used + reserved ? limit - used - reserved : 0n,
        overage: over(limit, used),
        window: windowText(window),
        version: null,
        duplicate,
        voided,
        late: reason !== null
      })
    }
    case 'release': return shown(await releaseReservation(stores, named))
    case 'extend': return shown(await extendReservation(stores, named, request.ttlSeconds))
    case 'amend':
    case 'void': {
      const n = request.do === 'void' ? null : request.n
      const { event, id } = request
      const { used, reserved, limit, remaining, window, duplicate } =
        await correct(stores, { environment, org, orgPointer: '/org', event, n, reason: REASON, actor: 'a test', id, idPointer: '/id' })
      return texts({ used, reserved, limit, remaining, window: windowText(window), duplicate })
    }
  }
}

function usageOf ({ environment, org }: Place, { feature, n, at, set: clobber, id }: Extract<Request, { do: 'report' | 'consume' }>) {
  return { environment, org, feature, n, at, clobber, id, idPointer: '/id', properties: undefined }
}

/** @returns what went wrong, or nothing */
export async function changed ({ stores, environment, org }: Place, change: Change, now: number): Promise<Answer> {
  return await orRefused(async () => {
    switch (change.do) {
      case 'wait':
        await stores.environments.put({ name: environment, defaultPlan: null, fixedNow: now })
        return {}
      case 'subscribe': {
        const phase = { effectiveAt: change.effectiveAt, features: change.plans.map(refOf), trial: false }
        await subscribe(stores, { environment, org, phases: [phase], info: undefined })
        return {}
      }
      case 'override': {
        const { feature, limit, overage, until } = change
        await putOverride(stores, { environment, org, feature, limit, overage: overage || undefined, until, reason: REASON })
        return {}
      }
      case 'end override':
        await endOverride(stores, environment, org, change.feature)
        return {}
    }
  })
}

/** A verdict of every feature, then every window of every feature, each under a name of its own. */
export async function read ({ stores, environment, org }: Place, n: Amount, windowsMax: number) {
  const [verdicts, { features }] = await Promise.all([
    canAll(stores, { environment, org, n }, undefined),
    usage(stores, { environment, org, feature: undefined, from: null, to: null, cursor: null, pageMax: windowsMax })
  ])
  return {
    verdicts: verdicts.map(({ ok, reason, feature, used, reserved, limit, remaining, overage, window }) =>
      texts({ feature, ok, reason, used, reserved, limit, remaining, overage, resetsAt: window?.end ?? null })),
    windows: features.flatMap(({ feature, current, past }) => [...current === null ? [] : [current], ...past]
      .map(({ start, end, permitsOverage: _, ...rest }) => texts({ feature, window: windowText({ start, end }), ...rest }))),
    complete: features.filter(({ cursor }) => cursor === null).map(({ feature }) => feature)
  }
}

/** The latest first. */
export async function readReservations ({ stores, environment, org }: Place): Promise<Answer[]> {
  const { items } = await listReservations(stores, org, { environment, cursor: undefined, countMax: RESERVATIONS_MAX })
  return items.map(shown)
}

async function orRefused (work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return { refused: error.code }
  }
}

function shown ({ org: _, feature: _feature, window, ...rest }: Reservation): Answer {
  return texts({ ...rest, window: windowText(window) })
}

function refused ({ denied, window, version, late }: Refused): Answer {
  return texts({ ...denied, window: window === null ? null : windowText(window), version, late })
}

function texts (members: Readonly<Record<string, Amount | string | number | boolean | null>>): Answer {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, typeof value === 'bigint' ? amountText(value) : value]))
}
