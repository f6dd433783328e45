import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { holdingText, parseHolding } from '../../src/domain/ids.ts'
import { type Org, orgOf, type StoredPlan } from '../../src/domain/org.ts'
import { parsePlan } from '../../src/domain/plan.ts'
import { inForce, type ScheduleChange, STATUSES, type Subscription, type SubscriptionStatus } from '../../src/domain/schedule.ts'
import { added, type Addition, altered, ended, inZone } from '../../src/domain/subscription-change.ts'
import { TollgateError } from '../../src/errors.ts'
import { sized } from '../fixtures/size.ts'
import { row } from './schedule-fixture.ts'

const CHANGES = sized(4_000, 20_000)
/** Instants are days here: day 0, day 1 and so on; `now` is day 10. */
const NOW = 10

function applied (rows: readonly Subscription[], { end, remove, add }: ScheduleChange): Subscription[] {
  const kept = rows.filter(({ id }) => !remove.includes(id)).map(row => {
    const { status = row.status, endsAt = row.endsAt } = end.find(({ id }) => id === row.id) ?? {}
    return { ...row, status, endsAt }
  })
  const last = Math.max(0, ...rows.map(({ id }) => id))
  return [...kept, ...add.map((row, i) => ({ ...row, id: last + 1 + i }))]
}

/** `id what status from..to`, and the anchor where it is not the start. */
function shown (rows: readonly Subscription[]): string[] {
  return rows.map(row => `${row.id} ${holdingText(row)} ${row.status} ${row.startsAt}..${row.endsAt ?? ''}` +
    (row.anchorAt === row.startsAt ? '' : `, anchor ${row.anchorAt}`))
}

function refusal (work: () => ScheduleChange): unknown {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return [error.code, error.problems[0]?.pointer, error.message]
  }
}

const PRO = 'plan:pro@1'

function add (current: Subscription[], wanted: Partial<Addition> & { what?: string } = {}, lastUse = -Infinity): ScheduleChange {
  const { what = PRO, ...rest } = wanted
  return added({
    current, now: NOW, timeZone: 'UTC', periodStart: null, resumedAnchorAt: null, usedSince: at => lastUse >= at
  }, { holding: parseHolding(what, '/'), startsAt: null, endsAt: null, status: 'active', anchorAt: null, ...rest })
}

test('what is added begins now, ends nothing, and keeps the anchor of what is held', async t => {
  const held = [row(1, 'plan:free@0', 3, null)]
  t.same(shown(applied(held, add(held))), ['1 plan:free@0 active 3..', '2 plan:pro@1 active 10.., anchor 3'])
  t.same(shown(applied([], add([]))), ['1 plan:pro@1 active 10..'])
  t.same(shown(applied(held, add(held, { anchorAt: 7, endsAt: 20, status: 'trialing' }))).at(-1), '2 plan:pro@1 trialing 10..20, anchor 7')
  t.same(shown(applied(held, add(held, { startsAt: 15 }))).at(-1), '2 plan:pro@1 active 15.., anchor 3')
})

test('a start in the past is the anchor, and where usage lies after it the subscription starts now', async t => {
  t.same(shown(applied([], add([], { startsAt: 4 }))), ['1 plan:pro@1 active 4..'])
  t.same(shown(applied([], add([], { startsAt: 4 }, 6))), ['1 plan:pro@1 active 10.., anchor 4'])
})

test('what is held already is not added over a time that overlaps', async t => {
  const conflict = ['subscription_conflict', '/plan', 'plan:pro@1 is held already over that time, by subscription 1']
  for (const held of [row(1, PRO, 3, null), row(1, PRO, 3, 11), row(1, PRO, 40, null), row(1, PRO, 3, null, 'unpaid')]) {
    t.same(refusal(() => add([held])), conflict, `${shown([held])}`)
  }
  t.same(refusal(() => add([row(1, PRO, 12, 20)], { startsAt: 15, endsAt: 16 })), conflict)
  for (const held of [
    row(1, PRO, 3, 10), row(1, 'plan:pro@2', 3, null), row(1, 'feature:x@plan:pro@1', 3, null),
    row(1, PRO, 3, null, 'cancelled'), row(1, PRO, 3, null, 'incomplete_expired')
  ]) t.equal(add([held]).add.length, 1, `${shown([held])}`)
  t.equal(add([row(1, PRO, 12, 20)], { endsAt: 12 }).add.length, 1, 'until it begins')
  t.equal(add([row(1, PRO, 12, 20)], { startsAt: 20 }).add.length, 1, 'once it is over')
})

test('nothing begins as what is for good', async t => {
  t.match(refusal(() => add([], { status: 'cancelled' })), ['invalid_request', '/status'])
  t.match(refusal(() => add([], { status: 'incomplete_expired', endsAt: 20 })), ['invalid_request', '/status'])
  t.same(shown(applied([], add([], { status: 'cancelled', endsAt: 20 }))), ['1 plan:pro@1 cancelled 10..20'], 'it gives access until then')
})

test('an empty stretch is refused', async t => {
  for (const [startsAt, endsAt] of [[null, 10], [null, 3], [15, 15], [15, 12]] as const) {
    t.match(refusal(() => add([], { startsAt, endsAt })), ['invalid_request', '/endsAt'])
  }
  t.match(refusal(() => add([], { startsAt: 4, endsAt: 9 }, 6)), ['invalid_request', '/endsAt'], 'also where it cannot start when it was to')
})

function alter (held: Subscription, status?: SubscriptionStatus, endsAt?: number | null): unknown {
  return refusal(() => altered([held], held, { status, endsAt }, NOW))
}

function after (held: Subscription, status?: SubscriptionStatus, endsAt?: number | null): string[] {
  return shown(applied([held], altered([held], held, { status, endsAt }, NOW)))
}

test('a status that gives access like the one before takes its place', async t => {
  t.same(after(row(1, PRO, 3, null, 'trialing'), 'active'), ['1 plan:pro@1 active 3..'])
  t.same(after(row(1, PRO, 3, null), 'trialing'), ['1 plan:pro@1 trialing 3..'])
  t.same(after(row(1, PRO, 3, null, 'unpaid'), 'incomplete'), ['1 plan:pro@1 incomplete 3..'])
  t.same(after(row(1, PRO, 3, 20), 'cancelled'), ['1 plan:pro@1 cancelled 3..20'])
  t.same(after(row(1, PRO, 3, 20, 'cancelled'), 'active', null), ['1 plan:pro@1 active 3..'])
})

test('one that takes access away, or gives it, goes on from now: the past stays as it was', async t => {
  t.same(after(row(1, PRO, 3, 20), 'unpaid'), ['1 plan:pro@1 active 3..10', '2 plan:pro@1 unpaid 10..20, anchor 3'])
  t.same(after(row(1, PRO, 3, null, 'unpaid'), 'active'), ['1 plan:pro@1 unpaid 3..10', '2 plan:pro@1 active 10.., anchor 3'])
  t.same(after(row(1, PRO, 3, null), 'incomplete_expired'), ['1 plan:pro@1 active 3..10', '2 plan:pro@1 incomplete_expired 10.., anchor 3'])
})

test('what is cancelled ends now, or when it says', async t => {
  t.same(after(row(1, PRO, 3, null), 'cancelled'), ['1 plan:pro@1 cancelled 3..10'])
  t.same(after(row(1, PRO, 3, null), 'cancelled', 15), ['1 plan:pro@1 cancelled 3..15'])
  t.same(after(row(1, PRO, 3, null, 'unpaid'), 'cancelled'), ['1 plan:pro@1 unpaid 3..10'], 'it gave no access, and must not seem to have')
  t.same(after(row(1, PRO, 3, 20, 'unpaid'), 'cancelled'), ['1 plan:pro@1 unpaid 3..10'])
  t.match(alter(row(1, PRO, 3, null, 'unpaid'), 'cancelled', 15), ['invalid_request', '/endsAt'])
  t.match(alter(row(1, PRO, 3, 20, 'cancelled'), undefined, null), ['invalid_request', '/endsAt'])
})

test('what has not begun has no past', async t => {
  t.same(after(row(1, PRO, 15, null), 'unpaid'), ['1 plan:pro@1 unpaid 15..'])
  t.same(after(row(1, PRO, 15, 30), 'cancelled'), ['1 plan:pro@1 cancelled 15..'], 'cancelled before it began, it never does')
  t.same(after(row(1, PRO, 15, null), 'cancelled', 20), ['1 plan:pro@1 cancelled 15..20'])
  t.same(shown(applied([row(1, PRO, 15, null)], ended(row(1, PRO, 15, null), NOW))), [], 'ended before it began, it was never held')
})

test('an end may be moved, now or later, and taken away', async t => {
  t.same(after(row(1, PRO, 3, null), undefined, 15), ['1 plan:pro@1 active 3..15'])
  t.same(after(row(1, PRO, 3, 15), undefined, 10), ['1 plan:pro@1 active 3..10'])
  t.same(after(row(1, PRO, 3, 15), undefined, null), ['1 plan:pro@1 active 3..'])
  t.match(alter(row(1, PRO, 3, 15), undefined, 9), ['invalid_request', '/endsAt'])
  t.match(alter(row(1, PRO, 15, null), undefined, 15), ['invalid_request', '/endsAt'])
  const rows = [row(1, PRO, 3, 15), row(2, PRO, 20, null)] as const
  t.match(refusal(() => altered(rows, rows[0], { status: undefined, endsAt: null }, NOW)), ['subscription_conflict', '/endsAt'])
  t.match(refusal(() => altered(rows, rows[0], { status: undefined, endsAt: 21 }, NOW)), ['subscription_conflict', '/endsAt'])
  t.same(altered(rows, rows[0], { status: undefined, endsAt: 20 }, NOW).end, [{ id: 1, endsAt: 20, status: 'active' }])
})

test('what is over, or cancelled for good, is not brought back', async t => {
  for (const held of [row(1, PRO, 3, 10), row(1, PRO, 3, 5, 'cancelled'), row(1, PRO, 3, null, 'cancelled'), row(1, PRO, 3, null, 'incomplete_expired')]) {
    t.match(alter(held, 'active'), ['subscription_conflict', '?id'], `${shown([held])}`)
    t.match(refusal(() => ended(held, NOW)), ['subscription_conflict', '?id'], `${shown([held])}`)
  }
})

test('in another zone, what is not over goes on from now, and what is over stays', async t => {
  const rows = [row(1, PRO, 1, 3), row(2, PRO, 3, null), row(3, 'plan:extra@1', 15, 20), row(4, 'plan:gone@1', 2, null, 'cancelled')]
  const moved = applied(rows, inZone(rows, 'Europe/Berlin', NOW))
  t.same(shown(moved), [
    '1 plan:pro@1 active 1..3', '2 plan:pro@1 active 3..10', '4 plan:gone@1 cancelled 2..',
    '5 plan:pro@1 active 10.., anchor 3', '6 plan:extra@1 active 15..20'
  ])
  t.same(moved.map(({ timeZone }) => timeZone), ['UTC', 'UTC', 'UTC', 'Europe/Berlin', 'Europe/Berlin'])
  t.same(inZone(moved, 'Europe/Berlin', NOW), { end: [], remove: [], add: [] }, 'twice is once')
})

// Random rows and changes, on real days. Whatever is done now, nothing of what was changes.

const DAY = 86_400_000
const FROM = Date.UTC(2024, 0, 1)
const TODAY = FROM + 200 * DAY
const KINDS = ['plan:a@1', 'plan:b@1', 'plan:c@1', 'feature:calls@plan:a@1']
const RESETS = { 'plan:a@1': 'month', 'plan:b@1': 'week', 'plan:c@1': 'month' } as const
const STORED = new Map(Object.entries(RESETS).map(([name, reset], i): [string, StoredPlan] => {
  const parsed = parsePlan({ name: name.slice(0, -2), version: '1' }, { features: { 'feature:calls': { tiers: [{ upto: 10 * (i + 1) }], reset } } })
  if (!parsed.ok) throw new Error(parsed.reason)
  return [name, { key: i, plan: parsed.plan, featureKeys: new Map([['feature:calls', 1]]) }]
}))

const randomRows = fc.array(fc.record({
  what: fc.constantFrom(...KINDS),
  start: fc.integer({ min: 0, max: 260 }),
  length: fc.constantFrom(1, 20, 31, 90, 150, null, null),
  status: fc.constantFrom<SubscriptionStatus[]>('active', 'active', 'active', ...STATUSES),
  zone: fc.constantFrom('UTC', 'Europe/Berlin')
}), { minLength: 1, maxLength: 5 }).map(list => list.map(({ what, start, length, status, zone }, i): Subscription => ({
  ...row(i + 1, what, FROM + start * DAY, length === null ? null : FROM + (start + length) * DAY, status), timeZone: zone
})))

const randomChange = fc.oneof(
  fc.record({ kind: fc.constant('zone' as const), zone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Tokyo') }),
  fc.record({ kind: fc.constant('end' as const), which: fc.nat(4) }),
  fc.record({
    kind: fc.constant('alter' as const),
    which: fc.nat(4),
    status: fc.option(fc.constantFrom(...STATUSES), { nil: undefined }),
    endsAt: fc.constantFrom(undefined, undefined, null, TODAY, TODAY + 9 * DAY)
  }),
  fc.record({ kind: fc.constant('add' as const), what: fc.constantFrom(...KINDS), startsAt: fc.constantFrom(null, TODAY + 5 * DAY), status: fc.constantFrom(...STATUSES) })
)

function changeOf (rows: readonly Subscription[], change: typeof randomChange extends fc.Arbitrary<infer T> ? T : never): ScheduleChange {
  if (change.kind === 'zone') return inZone(rows, change.zone, TODAY)
  if (change.kind === 'add') {
    const request = { current: rows, now: TODAY, timeZone: 'UTC', periodStart: null, resumedAnchorAt: null, usedSince: () => true }
    return added(request, { holding: parseHolding(change.what, '/'), startsAt: change.startsAt, endsAt: null, status: change.status, anchorAt: null })
  }
  const one = rows[change.which % rows.length] as Subscription
  return change.kind === 'end' ? ended(one, TODAY) : altered(rows, one, change, TODAY)
}

function orgWith (subscriptions: readonly Subscription[]): Org {
  const facts = { key: 1, environment: 'test', name: 'org:a', version: 1, timeZone: 'UTC', createdAt: FROM, subscriptions }
  return orgOf(facts, ({ plan }) => STORED.get(`${plan.name}@${plan.version}`) as StoredPlan)
}

/** What was held on each day up to yesterday, and the windows that were over by now, each with its limit. */
function past (rows: readonly Subscription[]): unknown {
  const days = Array.from({ length: 200 }, (_, day) => inForce(rows, FROM + day * DAY).map(({ id }) => id))
  const timeline = orgWith(rows).features.get('feature:calls')?.timeline
  const windows = timeline === undefined || timeline.start >= TODAY ? [] : timeline.windowsBack(TODAY, 60, timeline.start)
  const over = windows.filter(({ end }) => end !== null && end < TODAY)
  return [days, over.map(window => [window.start, window.end, timeline?.grantAtEnd(window)?.limit])]
}

test(`no change rewrites the past: what was held, its windows and their limits (${CHANGES} changes)`, async t => {
  let made = 0
  fc.assert(fc.property(randomRows, randomChange, (rows, change) => {
    let planned: ScheduleChange
    try {
      planned = changeOf(rows, change)
    } catch (error) {
      if (error instanceof TollgateError) return true
      throw error
    }
    made += 1
    const next = applied(rows, planned)
    return next.every(({ startsAt, endsAt }) => endsAt === null || endsAt > startsAt) && isDeepStrictEqual(past(next), past(rows))
  }), { numRuns: CHANGES })
  t.ok(made > CHANGES / 4, `${made} changes were made`)
  t.equal(STORED.get('plan:c@1')?.plan.features[0]?.limit, amountOf(30))
})
