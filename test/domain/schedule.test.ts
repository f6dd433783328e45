import fc from 'fast-check'
import { test } from 'tap'
import { inForce, reschedule, type SubscriptionStatus } from '../../src/domain/schedule.ts'
import { TollgateError } from '../../src/errors.ts'
import { type Given, org, phase, refusal, row } from './schedule-fixture.ts'

test('a first subscription starts now, and its periods are counted from there', async t => {
  const acme = org()
  acme.subscribe(10, [{ features: ['plan:a@0'] }])
  t.same(acme.rows(), ['1 plan:a@0 active 10..'])
  t.same(acme.phases(12), ['10.. plan:a@0'])
})

test('a change of plan takes effect now and keeps the anchor; the phase is shown from the start of the period', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null)])
  acme.subscribe(70, [{ features: ['plan:b@0'] }], { periodStart: 60 })
  t.same(acme.rows(), ['1 plan:a@0 active 0..70', '2 plan:b@0 active 70.., anchor 0, phase 60'])
  t.same(acme.phases(70), ['60.. plan:b@0'])
  acme.subscribe(75, [{ features: ['plan:c@0'] }], { periodStart: 40 })
  t.same(acme.rows().at(-1), '3 plan:c@0 active 75.., anchor 0, phase 60', 'or from the phase before, if that is later')
})

test('with several subscriptions in force the oldest gives the anchor', async t => {
  const acme = org([row(2, 'plan:b@0', 3, null), row(1, 'plan:a@0', 5, null)])
  acme.subscribe(10, [{ features: ['plan:c@0'] }])
  t.equal(acme.rows().at(-1), '3 plan:c@0 active 10.., anchor 5, phase 5')
})

test('what is held and stays keeps its row', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null), row(2, 'feature:x@plan:b@0', 0, null)])
  t.same(acme.subscribe(10, [{ features: ['plan:a@0'] }, { features: ['plan:c@0'], effective: 20 }]).end,
    [{ id: 1, endsAt: 20 }, { id: 2, endsAt: 10 }])
  t.same(acme.rows(), ['1 plan:a@0 active 0..20', '2 feature:x@plan:b@0 active 0..10', '3 plan:c@0 active 20.., anchor 0'])
  t.same(acme.subscribe(15, [{ features: ['plan:a@0'] }]), { end: [{ id: 1, endsAt: null }], remove: [3], add: [] })
  t.same(acme.subscribe(15, [{ features: ['plan:a@0'] }]), { end: [], remove: [], add: [] }, 'again: nothing changes')
})

test('one feature of a plan is another holding than the plan, and a trial another than its plan paid for', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null, 'trialing')])
  acme.subscribe(10, [{ features: ['plan:a@0'] }])
  acme.subscribe(20, [{ features: ['feature:x@plan:a@0'] }])
  t.same(acme.rows(), [
    '1 plan:a@0 trialing 0..10', '2 plan:a@0 active 10..20, anchor 0, phase 0', '3 feature:x@plan:a@0 active 20.., anchor 0, phase 0'
  ])
})

test('a schedule that starts now drops what was scheduled', async t => {
  const acme = org([row(1, 'plan:a@0', 0, 20), row(2, 'plan:b@0', 20, 30), row(3, 'plan:c@0', 30, null)])
  acme.subscribe(10, [{ features: ['plan:d@0'] }, { features: ['plan:e@0'], effective: 40 }])
  t.same(acme.rows(), ['1 plan:a@0 active 0..10', '4 plan:d@0 active 10..40, anchor 0, phase 0', '5 plan:e@0 active 40.., anchor 0'])
})

test('two changes at the same instant leave no row of zero length', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null)])
  acme.subscribe(10, [{ features: ['plan:b@0'] }])
  acme.subscribe(10, [{ features: ['plan:c@0'] }])
  t.same(acme.rows(), ['1 plan:a@0 active 0..10', '3 plan:c@0 active 10.., anchor 0, phase 0'])
})

test('a first phase in the future leaves the current one in front until then', async t => {
  const acme = org([row(1, 'plan:a@0', 0, 15, 'trialing'), row(2, 'plan:b@0', 15, null)])
  acme.subscribe(10, [{ features: ['plan:c@0'], effective: 20 }, { features: ['plan:a@0'], effective: 30 }])
  t.same(acme.rows(), ['1 plan:a@0 trialing 0..20', '3 plan:c@0 active 20..30, anchor 0', '4 plan:a@0 active 30.., anchor 0'])
  t.same(acme.phases(10), ['0..20 plan:a@0, trial', '20..30 plan:c@0', '30.. plan:a@0'])
})

test('without a subscription a first phase in the future means none until then', async t => {
  const acme = org()
  acme.subscribe(10, [{ features: ['plan:a@0'], effective: 20 }])
  t.same(acme.rows(), ['1 plan:a@0 active 20..'])
  t.same(acme.held(19), [])
  t.same(acme.phases(10), ['20.. plan:a@0'])
})

test('a first phase in the past reaches back and sets the anchor', async t => {
  const acme = org([row(1, 'plan:z@0', 0, 3), row(2, 'plan:a@0', 3, 6), row(3, 'plan:b@0', 6, 20), row(4, 'plan:c@0', 20, null)])
  acme.subscribe(10, [{ features: ['plan:d@0'], effective: 5 }])
  t.same(acme.rows(), ['1 plan:z@0 active 0..3', '2 plan:a@0 active 3..5', '5 plan:d@0 active 5..'])
  t.same(acme.phases(10), ['5.. plan:d@0'])
  t.same(acme.subscribe(11, [{ features: ['plan:d@0'], effective: 5 }]), { end: [], remove: [], add: [] }, 'again: nothing changes')
})

test('a first phase in the past with usage after it takes effect now, with the anchor at its date', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null)])
  acme.subscribe(10, [{ features: ['plan:b@0'], effective: 5 }], { used: 5 })
  t.same(acme.rows(), ['1 plan:a@0 active 0..10', '2 plan:b@0 active 10.., anchor 5, phase 5'])
  t.same(acme.subscribe(12, [{ features: ['plan:b@0'], effective: 5 }], { used: 11 }), { end: [], remove: [], add: [] }, 'again: nothing changes')
})

test('the same plan with a date in the past is moved to that anchor', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null)])
  acme.subscribe(10, [{ features: ['plan:a@0'], effective: 5 }])
  t.same(acme.rows(), ['1 plan:a@0 active 0..5', '2 plan:a@0 active 5..'])
})

test('an effective date of now sets the anchor, too', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null)])
  acme.subscribe(10, [{ features: ['plan:b@0'], effective: 10 }], { used: 10 })
  t.same(acme.rows(), ['1 plan:a@0 active 0..10', '2 plan:b@0 active 10..'])
})

test('of several phases in the past the last one is in force; the others are history, unless there is usage', async t => {
  const phases = [{ features: ['plan:a@0'], effective: 2 }, { features: ['plan:b@0'], effective: 5 }, { features: ['plan:c@0'], effective: 20 }]
  const unused = org()
  unused.subscribe(10, phases)
  t.same(unused.rows(), ['1 plan:a@0 active 2..5', '2 plan:b@0 active 5..20, anchor 2', '3 plan:c@0 active 20.., anchor 2'])
  const used = org([row(1, 'plan:z@0', 0, null)])
  used.subscribe(10, phases, { used: 3 })
  t.same(used.rows(), ['1 plan:z@0 active 0..10', '2 plan:b@0 active 10..20, anchor 2, phase 5', '3 plan:c@0 active 20.., anchor 2'])
})

test('a trial with nothing after it is endless; with a phase after it it ends there', async t => {
  const endless = org()
  endless.subscribe(0, [{ features: ['plan:a@0'], trial: true }])
  t.same(endless.phases(99), ['0.. plan:a@0, trial'])
  const acme = org()
  acme.subscribe(0, [{ features: ['plan:a@0'], trial: true }, { features: ['plan:a@0'], effective: 14 }])
  t.same(acme.phases(1), ['0..14 plan:a@0, trial', '14.. plan:a@0'])
  t.same(acme.rows(), ['1 plan:a@0 trialing 0..14', '2 plan:a@0 active 14.., anchor 0'])
})

test('an empty phase alone cancels at once, and what was scheduled with it', async t => {
  const acme = org([row(1, 'plan:a@0', 0, 20), row(2, 'plan:b@0', 20, null)])
  acme.subscribe(10, [{}])
  t.same(acme.rows(), ['1 plan:a@0 active 0..10'])
  t.same(acme.phases(10), [])
  acme.subscribe(12, [{ features: ['plan:a@0'] }])
  t.same(acme.rows(), ['1 plan:a@0 active 0..10', '3 plan:a@0 active 12..'], 'a new subscription has a new anchor')
})

test('an empty phase may come at a date, after others or alone', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null)])
  acme.subscribe(10, [{ effective: 30 }])
  t.same(acme.phases(10), ['0..30 plan:a@0', '30.. nothing'])
  acme.subscribe(10, [{ features: ['plan:b@0'] }, { effective: 20 }])
  t.same(acme.phases(10), ['0..20 plan:b@0', '20.. nothing'])
  const past = org([row(1, 'plan:a@0', 0, null)])
  past.subscribe(10, [{ effective: 5 }])
  t.same(past.rows(), ['1 plan:a@0 active 0..5'])
})

test('no phases do nothing, nor does cancelling an org without a subscription', async t => {
  t.same(org([row(1, 'plan:a@0', 0, null)]).subscribe(10, []), { end: [], remove: [], add: [] })
  t.same(org().subscribe(10, [{}]), { end: [], remove: [], add: [] })
  t.same(org([row(1, 'plan:a@0', 0, 5)]).subscribe(10, [{}]), { end: [], remove: [], add: [] })
})

test('a row without access is ended with the others, but gives neither anchor nor holding', async t => {
  const acme = org([row(1, 'plan:a@0', 0, null, 'unpaid'), row(2, 'plan:b@0', 0, 5, 'cancelled')])
  acme.subscribe(10, [{ features: ['plan:a@0'] }])
  t.same(acme.rows(), ['1 plan:a@0 unpaid 0..10', '2 plan:b@0 cancelled 0..5', '3 plan:a@0 active 10..'])
})

test('a schedule that makes no sense is refused by the phase at fault', async t => {
  const a = { features: ['plan:a@0'] }
  const cases: Array<[Given[], string, string]> = [
    [[a, a], '/phases/1/effective', 'phases[1].effective is missing: only the first phase may take effect at once'],
    [[a, { ...a, effective: 10 }], '/phases/1/effective', 'phases[1].effective must be later than the start of the phase before'],
    [[{ ...a, effective: 5 }, { ...a, effective: 5 }], '/phases/1/effective', 'phases[1].effective must be later than the start of the phase before'],
    [[a, { ...a, effective: 12 }, { ...a, effective: 11 }], '/phases/2/effective', 'phases[2].effective must be later than the start of the phase before'],
    [[{}, { ...a, effective: 12 }], '/phases/0', 'phases[0] has no features, which cancels: only the last phase may'],
    [[a, { effective: 11 }, { ...a, effective: 12 }], '/phases/1', 'phases[1] has no features, which cancels: only the last phase may']
  ]
  for (const [phases, pointer, message] of cases) {
    t.same(refusal(phases), { code: 'invalid_request', message, problems: [{ pointer, detail: message }] })
  }
})

test("what is listed twice in a phase is Tier's feature_not_found; the problem says what it is", async t => {
  const [a, ax, b] = ['plan:a@0', 'feature:x@plan:a@0', 'plan:a@1']
  for (const features of [[a, a], [ax, ax], [a, ax], [ax, a]]) {
    const detail = `"${features[1]}" is in this phase already`
    t.same(refusal([{ features: ['plan:z@0', ...features] }]),
      { code: 'feature_not_found', message: 'feature not found', problems: [{ pointer: '/phases/0/features/2', detail }] })
  }
  t.equal(refusal([{ features: [a, b, 'feature:x@plan:c@0', 'feature:y@plan:c@0', 'feature:x@plan:d@0'] }]), null)
})

test('active and trialing rows are in force, and a cancelled one until it ends; the oldest first', async t => {
  const statuses: SubscriptionStatus[] = ['active', 'trialing', 'cancelled', 'past_due', 'unpaid', 'incomplete', 'incomplete_expired']
  const rows = statuses.map((status, i) => row(9 - i, `plan:${status.replace('_', '')}@0`, 5, 8, status))
  t.same(inForce(rows, 5).map(({ status }) => status), ['cancelled', 'trialing', 'active'])
  t.same(inForce(rows, 7).length, 3)
  t.same(inForce([{ ...row(1, 'plan:a@0', 5, 8, 'cancelled'), endsAt: null }], 7), [], 'cancelled without an end')
  t.same([...inForce(rows, 4), ...inForce(rows, 8)], [])
})

test('phases show what lies between and after subscriptions, each holding once, and not what makes no difference', async t => {
  const rows = [row(1, 'plan:b@0', 0, 10), row(2, 'plan:a@0', 2, 10), row(3, 'plan:a@0', 5, 8), row(4, 'plan:b@0', 20, 30), row(5, 'plan:b@0', 30, 40)]
  t.same(org(rows).phases(6), ['5..10 plan:a@0 + plan:b@0', '10..20 nothing', '20..40 plan:b@0', '40.. nothing'])
  t.same(org(rows).phases(50), [])
  t.same(org([row(1, 'plan:a@0', 0, null, 'trialing'), row(2, 'plan:b@0', 0, null)]).phases(1), ['0.. plan:a@0 + plan:b@0'], 'a trial in part is none')
})

const given = fc.record({
  features: fc.uniqueArray(fc.constantFrom('plan:a@0', 'plan:b@0', 'plan:c@0'), { maxLength: 2 }),
  effective: fc.option(fc.integer({ min: -5, max: 30 }), { nil: undefined }),
  trial: fc.boolean()
})
const step = fc.record({ wait: fc.nat(3), phases: fc.array(given, { maxLength: 3 }), used: fc.integer({ min: -10, max: 40 }) })

test('after any series of changes: no empty row, the past as it was unless it was unused, the new schedule as it was asked', async t => {
  fc.assert(fc.property(fc.array(step, { maxLength: 8 }), steps => {
    const acme = org()
    let now = 0
    for (const { wait, phases, used } of steps) {
      now += wait
      const asked = phases.map(({ effective, ...rest }) => effective === undefined ? rest : { ...rest, effective })
      const before = org(acme.current())
      try {
        acme.subscribe(now, asked, { used })
      } catch (error) {
        if (error instanceof TollgateError) continue
        throw error
      }
      if (!isSound(before, acme, asked, now, used)) return false
    }
    return true
  }), { numRuns: 1000 })
  t.pass()
})

/** Compares instant by instant with what was asked for, without looking at how it was done. */
function isSound (before: ReturnType<typeof org>, after: ReturnType<typeof org>, asked: Given[], now: number, used: number): boolean {
  const starts = asked.map(({ effective }) => effective ?? now)
  const first = starts[0] ?? Infinity
  const from = first < now && used >= first ? now : first
  for (let at = -6; at < 32; at++) {
    const wanted = asked[starts.filter(start => start <= at).length - 1]?.features ?? []
    const expected = at >= from ? [...wanted].sort() : at > now ? before.held(now) : before.held(at)
    const untouched = asked.length === 0 ? before.held(at) : expected
    if (after.held(at).sort().join() !== [...untouched].sort().join()) return false
  }
  return after.current().every(({ startsAt, endsAt }) => endsAt === null || endsAt > startsAt)
}

test('who comes back while a window of what was cancelled still runs goes on with its anchor', async t => {
  const acme = org()
  acme.subscribe(5, [{ features: ['plan:a@0'] }])
  acme.subscribe(7, [{}])
  acme.subscribe(9, [{ features: ['plan:a@0'] }], { resumedAnchorAt: 5 })
  t.same(acme.rows(), ['1 plan:a@0 active 5..7', '2 plan:a@0 active 9.., anchor 5'])
})

test('new rows are in the time zone that the request names', async t => {
  const phases = [phase({ features: ['plan:a@0'] })]
  const { add } = reschedule({ current: [], phases, now: 9, timeZone: 'Europe/Berlin', periodStart: null, resumedAnchorAt: null, usedSince: () => false })
  t.match(add, [{ timeZone: 'Europe/Berlin' }])
})
