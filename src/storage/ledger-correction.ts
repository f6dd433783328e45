import { sql } from 'drizzle-orm'
import { TollgateError } from '../errors.ts'
import { AMOUNT_LIMIT, type Amount, amountFromNumeric } from '../domain/amount.ts'
import { changeOfTotal, checkAmended, checkCorrectable, type EffectiveEvent } from '../domain/correction.ts'
import type { Aggregate, Instant } from '../domain/entitlement.ts'
import { grantAt, presentOf, type Org } from '../domain/org.ts'
import type { Tally } from '../domain/reservation.ts'
import { type Window, windowNow } from '../domain/window.ts'
import { plainArray } from './arrays.ts'
import { readTallies, type WantedCounter, wantedCounter } from './counters.ts'
import { BEGIN, COMMIT, type Lane, prepare, type Result } from './database.ts'
import { foldWindow } from './fold.ts'
import { byIds, storedEvents, talk } from './ledger-batch.ts'
import type { Committed, CorrectOp, Recorded } from './ledger-op.ts'
import { lockOrgs, readEvents, readVersions } from './ledger-statements.ts'
import { publicationsOf, writeStatements } from './ledger-write.ts'
import type { Publication } from './mirror.ts'
import type { Orgs } from './orgs.ts'
import { type EventMode, instantFrom } from './schema.ts'

/** One event with its latest correction, and whether all that arrived after it in its window are plain adds. */
const readOriginal = prepare<'org' | 'id'>(sql`
  select e.feature, e.at, e.window_start, e.window_end, e.mode, e.amount, c.mode, c.amount, not exists (
    select from events n where n.org = e.org and n.feature = e.feature and n.window_start = e.window_start and n.seq > e.seq
      and (n.mode = 'set' or n.amount < 0))
  from events e left join lateral (
    select mode, amount from events c where c.org = e.org and c.refers_to = e.id order by c.seq desc limit 1
  ) c on true
  where e.org = ${sql.placeholder('org')} and e.id = ${sql.placeholder('id')}`)

interface Original {
  readonly feature: number
  readonly at: Instant
  readonly window: Window
  readonly now: EffectiveEvent
  readonly voided: boolean
  readonly plainSince: boolean
}

interface Place {
  readonly wanted: WantedCounter
  readonly aggregate: Aggregate
  readonly limit: Amount | null
}

/**
 * One correction in a transaction of its own: it may have to read a whole window, and nobody but its org shall wait for that.
 * @throws as `commitBatch` does
 */
export async function commitCorrection (
  lane: Lane, op: CorrectOp, orgs: Orgs, checkIds: boolean
): Promise<Committed> {
  const { org: { key } } = op
  const orgKeys = plainArray([key])
  const [, , versions, known, found] = await talk(undefined, async () => await lane.run([
    BEGIN, lockOrgs({ orgs: orgKeys }), readVersions({ orgs: orgKeys }),
    byIds(readEvents, op.idGiven || checkIds ? [[key, op.id]] : []), readOriginal({ org: key, id: op.refersTo })
  ]))
  const version = versions?.rows[0]?.[1]
  const transaction = String(versions?.rows[0]?.[2])
  if (version === undefined) throw new TollgateError('org_not_found', 'org not found', { pointer: '/org' })
  const before = storedEvents(known).get(`${key}:${op.id}`)
  if (before !== undefined && before.fingerprint !== op.fingerprint) {
    throw new TollgateError('event_conflict', `event ${op.id} was reported before with different content`, { pointer: '/id' })
  }
  const original = originalFrom(op, found)
  const org = op.org.version === Number(version)
    ? op.org
    : (await talk(undefined, async () => await orgs.loadLocked([key], lane))).get(key) ?? op.org
  const { wanted, aggregate, limit } = placeOf(op, org, original)
  const [tally] = await talk(undefined, async () => await readTallies(lane, [wanted])) as [Tally]
  const confirmedAt = Date.now()
  const publicationsWith = (told: Tally): Publication[] =>
    publicationsOf(new Map([[wanted.text, { wanted, tally: told }]]), new Map([[key, Number(version)]]), confirmedAt)
  if (before !== undefined) {
    await talk(undefined, async () => await lane.run([COMMIT]))
    // Whoever committed it may not have come to tell the mirror.
    return { outcomes: [{ answer: { ...before.recorded, duplicate: true } }], publications: publicationsWith(tally), ahead: false }
  }
  checkCorrectable(op.refersTo, original.now.mode, original.voided)
  const after = { ...original.now, amount: op.amount }
  checkAmended(aggregate, after)
  const corrected = await talk(undefined, async () => await correctedTally(lane, tally, wanted, aggregate, op.refersTo, original, after))
  const recorded: Recorded = {
    usedAfter: corrected.used,
    reservedAfter: corrected.reserved,
    limitAfter: limit,
    delta: corrected.used - tally.used,
    window: wanted.window,
    reason: op.reason,
    duplicate: false,
    voided: false
  }
  const touched = new Map([[wanted.text, { wanted, basedOn: tally.version, tally: corrected }]])
  const event = {
    op,
    key: wanted.key,
    at: original.at,
    mode: op.amount === null ? 'void' : 'amend' as EventMode,
    amount: op.amount ?? 0n,
    recorded,
    properties: null,
    refersTo: op.refersTo,
    actor: op.actor
  }
  const writes = writeStatements({ events: [event], touched, reservations: new Map() }, transaction)
  await talk([op], async () => await lane.run([...writes, COMMIT]))
  return { outcomes: [{ answer: recorded }], publications: publicationsWith(corrected), ahead: false }
}

type Row = [feature: number, at: string, start: string, end: string | null, mode: EventMode, amount: string,
  correction: EventMode | null, amended: string | null, plainSince: boolean]

/** @throws TollgateError `event_not_found` */
function originalFrom ({ refersTo }: CorrectOp, result: Result | undefined): Original {
  const row = result?.rows[0] as Row | undefined
  if (row === undefined) throw new TollgateError('event_not_found', `there is no event ${refersTo}`)
  const [feature, at, start, end, mode, amount, correction, amended, plainSince] = row
  return {
    feature,
    at: instantFrom(at),
    window: { start: instantFrom(start), end: end === null ? null : instantFrom(end) },
    now: { mode: mode as 'add' | 'set', amount: amountFromNumeric(amended ?? amount), at: instantFrom(at) },
    voided: correction === 'void',
    plainSince
  }
}

/** The limit is that of the event's instant. What the window adds up is one for all of it, also where nothing is held then. */
function placeOf ({ fixedNow }: CorrectOp, org: Org, { feature, at, window }: Original): Place {
  const now = fixedNow ?? presentOf(org, Date.now())
  const held = [...org.features.values()].find(({ key }) => key === feature)
  const grant = held === undefined ? null : grantAt(org, held, at, Math.max(at, now))
  const current = held === undefined ? window : windowNow(held.timeline, window)
  const aggregate = held?.timeline.grantAtEnd(current)?.aggregate ?? 'sum'
  return { wanted: wantedCounter(org.key, feature, current, aggregate, now), aggregate, limit: grant === null ? 0n : grant.limit }
}

async function correctedTally (
  lane: Lane, tally: Tally, { key }: WantedCounter, aggregate: Aggregate, id: string, { now, plainSince }: Original, after: EffectiveEvent
): Promise<Tally> {
  const version = tally.version + 1
  const change = changeOfTotal(aggregate, now, after, plainSince)
  if (change === undefined) {
    const { used, lastAt } = await foldWindow(lane, key, aggregate, { id, event: after })
    return { ...tally, version, used, lastAt }
  }
  const used = tally.used + change
  if (used >= AMOUNT_LIMIT) throw new TollgateError('invalid_amount', 'n would raise the total to 10^28 or more', { pointer: '/n' })
  return { ...tally, version, used }
}
