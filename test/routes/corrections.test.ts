import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { PLANS, WINDOW } from './reserving.ts'

withEachLedger(t, 'corrections', async (t, api) => {
  await api.on('2024-03-10')
  await api.push(PLANS)
  await contract(t, api)
})

/** `+5` reports 5, `=5` clobbers, `-5` takes 5 away; `@3` in the third hour before now. */
type Told = readonly string[]

async function contract (t: Test, api: Api): Promise<void> {
  let orgs = 0
  async function newOrg (): Promise<string> {
    orgs += 1
    await api.on('2024-03-10')
    await api.subscribe(`org:k${orgs}`, 'plan:free@0')
    await api.on('2024-03-20')
    return `org:k${orgs}`
  }

  /** Events are called `e1`, `e2`, ... */
  async function tell (org: string, feature: string, told: Told): Promise<void> {
    for (const [i, text] of told.entries()) {
      const [amount = '', hours] = text.split('@')
      const at = hours === undefined ? undefined : new Date(Date.parse('2024-03-20T00:00:00Z') - Number(hours) * 3_600_000).toISOString()
      const { code } = await api.report(org, feature, amount.replace(/^[+=]/, ''), { id: `e${i + 1}`, clobber: amount.startsWith('='), at })
      if (code !== undefined) throw new Error(`${text} was refused: ${code}`)
    }
  }

  const correct = async (org: string, event: string, n: unknown, more: Body = {}): Promise<Body> => n === undefined
    ? (await api.post(`/v1/events/${encodeURIComponent(event)}/void`, { org, ...more })).body
    : (await api.post(`/v1/events/${encodeURIComponent(event)}/amend`, { org, n, ...more })).body
  const used = async (org: string, feature = 'feature:calls'): Promise<number> => (await api.can(org, feature)).used
  const event = async (org: string, id: string): Promise<Body> => (await api.get(`/v1/events/${encodeURIComponent(id)}`, { org })).body

  await t.test('a voided event has never been; the answer says what the total is now', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5', '+3'])
    t.strictSame(await correct(org, 'e1', undefined, { id: 'fix', reason: 'A test call' }), {
      id: 'fix', refersTo: 'e1', org, used: 3, reserved: 0, limit: 10, remaining: 7, window: WINDOW, duplicate: false
    })
    t.equal(await used(org), 3)
    t.hasStrict(await api.report(org, 'feature:calls', 1), { used: 4 })
  })

  await t.test('an amended event counts as another amount, and may be amended again', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5', '+3'])
    t.hasStrict(await correct(org, 'e1', '0.5'), { refersTo: 'e1', used: 3.5, remaining: 6.5 })
    t.hasStrict(await correct(org, 'e1', 9), { used: 12, remaining: 0 }, 'a correction is not refused because of a limit')
    t.hasStrict(await correct(org, 'e1', null), { used: 3 }, 'null is 0')
    t.hasStrict(await correct(org, 'e1', -2), { used: 3 }, 'a total has no less than 0 in it')
    t.hasStrict(await correct(org, 'e2', 4), { used: 4 })
    t.hasStrict(await correct(org, 'e1', undefined), { used: 4 })
    t.equal(await used(org), 4)
  })

  await t.test('of what came ahead of its time, into a window that then began under other terms', async t => {
    const org = await newOrg()
    await api.on('2024-04-09T23:59:59.999Z')
    for (const [i, n] of [5, -1].entries()) {
      t.hasStrict(await api.report(org, 'feature:calls', n, { id: `e${i + 1}`, at: '2024-04-10T00:01:00.000Z' }), { used: 5 - i })
    }
    await api.on('2024-04-10')
    await api.subscribe(org, 'plan:peak@0')
    t.hasStrict(await correct(org, 'e2', -2), { code: 'invalid_amount' }, 'it could not be reported there any more')
    t.hasStrict(await correct(org, 'e1', 7), { used: 7 }, 'what was taken away is at the floor of a maximum')
    t.equal(await used(org), 7)
  })

  await t.test('for every aggregate, after clobbers and floors, the total is what it would be without, or with the other amount', async t => {
    const cases: Array<[feature: string, told: Told, event: string, n: number | undefined, used: number]> = [
      ['calls', ['+5', '+3'], 'e2', undefined, 5],
      ['calls', ['+5', '=2', '+3'], 'e1', undefined, 5],
      ['calls', ['+5', '=2', '+3'], 'e2', undefined, 8],
      ['calls', ['+5', '=2', '+3'], 'e2', 4, 7],
      ['calls', ['+5', '=2', '+3'], 'e3', 1, 3],
      ['calls', ['+1', '-5', '+3'], 'e1', 6, 4],
      ['calls', ['+1', '-5', '+3'], 'e2', undefined, 4],
      ['calls', ['+5', '-3', '+1'], 'e1', undefined, 1],
      ['calls', ['+5', '-3', '+1'], 'e2', -1, 5],
      ['visits', ['+9', '+9', '+9'], 'e2', undefined, 2],
      ['visits', ['+9', '+9', '+9'], 'e2', 0, 3],
      ['visits', ['+9', '=5', '+9'], 'e1', undefined, 6],
      ['visits', ['+9', '=5', '+9'], 'e2', undefined, 2],
      ['peak', ['+5', '+9', '+7'], 'e2', undefined, 7],
      ['peak', ['+5', '+9', '+7'], 'e2', 6, 7],
      ['peak', ['+5', '+9', '+7'], 'e1', 10, 10],
      ['peak', ['+9', '=2', '+4'], 'e2', undefined, 9],
      ['level', ['+5@3', '+6@1', '+7@2'], 'e2', undefined, 7],
      ['level', ['+5@3', '+6@1', '+7@2'], 'e3', undefined, 6],
      ['level', ['+5@3', '+6@1', '+7@2'], 'e2', 1, 1],
      ['level', ['+5@1', '=6@3', '+7@4'], 'e2', undefined, 5],
      ['seats', ['+5', '+6'], 'e2', undefined, 5],
      ['seats', ['+5', '+6'], 'e1', 9, 6]
    ]
    for (const [feature, told, id, n, expected] of cases) {
      const org = await newOrg()
      await tell(org, `feature:${feature}`, told)
      const name = `${feature} ${told.join(' ')}: ${n === undefined ? `${id} voided` : `${id} is ${n}`}`
      t.equal((await correct(org, id, n)).used, expected, name)
      t.equal(await used(org, `feature:${feature}`), expected, `${name}, read`)
    }
  })

  await t.test('what comes afterwards goes on from there', async t => {
    const org = await newOrg()
    await tell(org, 'feature:level', ['+5@3', '+6@1'])
    await correct(org, 'e2', undefined)
    t.hasStrict(await api.report(org, 'feature:level', 7, { at: '2024-03-19T22:00:00Z' }), { used: 7 }, 'which event shows is known again')
    const peak = await newOrg()
    await tell(peak, 'feature:peak', ['+5', '+9'])
    await correct(peak, 'e2', undefined)
    t.hasStrict((await api.post('/v1/consume', { org: peak, feature: 'feature:peak', n: 8 })).body, { ok: true, used: 8 })
  })

  await t.test('of any age: a past window is right in the next read, and the current one stays', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5', '=8', '+1'])
    await api.on('2025-01-15')
    await api.report(org, 'feature:calls', 2)
    t.hasStrict(await correct(org, 'e2', undefined), { used: 6, window: WINDOW })
    const { current, past } = await api.usage(org, 'feature:calls')
    t.hasStrict(current, { used: 2 })
    t.hasStrict((past as Body[]).at(-1), { start: WINDOW.start, used: 6, limit: 10, remaining: 4 })
  })

  await t.test('a window that was cut, and what is not held any more, are corrected by what they were', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5', '+3'])
    await api.on('2024-03-21')
    await api.subscribe(org, 'plan:peak@0')
    await api.report(org, 'feature:calls', 40)
    t.hasStrict(await correct(org, 'e1', 1), { used: 4, limit: 10, window: { start: WINDOW.start, end: '2024-03-21T00:00:00.000Z' } })
    await api.on('2024-03-22')
    await api.subscribe(org, {})
    t.hasStrict(await correct(org, 'e2', undefined), { used: 1, limit: 10 })
    const { past } = await api.usage(org, 'feature:calls')
    t.strictSame((past as Body[]).map(({ used }) => used).sort(), [1, 40].sort())
    const peak = await newOrg()
    await tell(peak, 'feature:peak', ['+5', '+9'])
    await api.subscribe(peak, {})
    t.hasStrict(await correct(peak, 'e2', undefined), { used: 5 }, 'also where it was cancelled in the same moment')
  })

  await t.test('what is held stays held', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5'])
    const { body: { id } } = await api.post('/v1/reservations', { org, feature: 'feature:calls', n: 4, ttlSeconds: 60 })
    t.hasStrict(await correct(org, 'e1', 3), { used: 3, reserved: 4, remaining: 3 })
    await api.post(`/v1/reservations/${String(id)}/commit`, {})
    t.hasStrict(await correct(org, `${String(id)}/commit`, 1), { used: 4, reserved: 0 }, 'and what was committed can be corrected')
  })

  await t.test('the event stays as it was recorded, with its history', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5', '+3'])
    const before = await event(org, 'e1')
    t.hasStrict(before, { n: 5, voided: false, countsAs: 5, corrections: [] })
    await correct(org, 'e1', 2, { id: 'fix-1', reason: 'Counted a retry twice' })
    await correct(org, 'e1', '2.5', { id: 'fix-2' })
    const amended = await event(org, 'e1')
    t.strictSame({ ...amended, countsAs: 5, corrections: [] }, before)
    t.equal(amended.countsAs, 2.5)
    await correct(org, 'e1', undefined, { id: 'fix-3', reason: 'A test call' })
    const { corrections, ...voided } = await event(org, 'e1')
    t.strictSame({ ...voided, corrections: [] }, { ...before, voided: true, countsAs: null })
    t.strictSame((corrections as Body[]).map(({ seq: _, window: _window, ...correction }) => correction), [
      { id: 'fix-1', mode: 'amend', n: 2, delta: -3, usedAfter: 5, reason: 'Counted a retry twice' },
      { id: 'fix-2', mode: 'amend', n: 2.5, delta: 0.5, usedAfter: 5.5, reason: null },
      { id: 'fix-3', mode: 'void', n: 0, delta: -2.5, usedAfter: 3, reason: 'A test call' }
    ].map(correction => ({
      org, feature: 'feature:calls', at: '2024-03-20T00:00:00.000Z', limitAfter: 10, refersTo: 'e1', actor: 'operator', properties: null, voided: false, ...correction
    })))
    t.hasStrict(await event(org, 'fix-1'), { mode: 'amend', countsAs: null, corrections: [] })
    const { events } = (await api.get('/v1/events', { org })).body
    t.strictSame((events as Body[]).map(({ id, voided }) => `${id} ${voided}`), ['fix-3 false', 'fix-2 false', 'fix-1 false', 'e2 false', 'e1 true'])
    const arrived = (await api.get('/v1/events', { feature: 'feature:calls', limit: '1000' })).body.events as Body[]
    t.strictSame(arrived.filter(row => row.org === org).map(({ id, voided }) => `${id} ${voided}`), ['e1 true', 'e2 false', 'fix-1 false', 'fix-2 false', 'fix-3 false'])
  })

  await t.test('of many corrections the history shows the latest hundred', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5'])
    for (let n = 0; n <= 101; n += 1) await correct(org, 'e1', n, { id: `fix-${n}` })
    const { corrections, countsAs } = await event(org, 'e1')
    t.strictSame([corrections.length, corrections[0].id, corrections[99].id, countsAs], [100, 'fix-2', 'fix-101', 101])
  })

  await t.test('who corrected it is kept: the key that was used', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5'])
    const { key, id } = (await api.post('/v1/keys', { name: 'billing', scopes: ['write'] })).body
    await api.post('/v1/events/e1/void', { org }, { authorization: `Bearer ${String(key)}` })
    t.equal((await event(org, 'e1')).corrections[0].actor, `key:${String(id)}`)
  })

  await t.test('a correction sent again is made once; anything else under that id is a conflict', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5', '+3'])
    const first = await correct(org, 'e1', 2, { id: 'fix' })
    await api.report(org, 'feature:calls', 1)
    t.strictSame(await correct(org, 'e1', 2, { id: 'fix' }), { ...first, duplicate: true })
    t.strictSame((await api.post('/v1/events/e1/amend', { org, n: 2 }, { 'idempotency-key': 'fix' })).body, { ...first, duplicate: true })
    for (const [id, n, more] of [['e1', 3, {}], ['e2', 2, {}], ['e1', undefined, {}], ['e1', 2, { reason: 'another' }]] as const) {
      t.hasStrict(await correct(org, id, n, { id: 'fix', ...more }), { status: 422, code: 'event_conflict' })
    }
    t.hasStrict(await correct(org, 'e1', 3, { id: 'e2' }), { code: 'event_conflict' }, 'reports have ids of the same kind')
    t.hasStrict(await api.report(org, 'feature:calls', 2, { id: 'fix' }), { code: 'event_conflict' })
    t.equal(await used(org), 6)
  })

  await t.test('the id of a corrected event still replays its first answer; of a voided one, with voided: true', async t => {
    const org = await newOrg()
    const request = { org, feature: 'feature:calls', n: 5, id: 'first' }
    const { body: first } = await api.post('/v1/report', request)
    await correct(org, 'first', 1)
    t.strictSame((await api.post('/v1/report', request)).body, { ...first, duplicate: true })
    await correct(org, 'first', undefined)
    t.strictSame((await api.post('/v1/report', request)).body, { ...first, duplicate: true, voided: true })
    t.equal(await used(org), 0)
  })

  await t.test('what cannot be corrected is refused, and nothing changes', async t => {
    const [org, other] = [await newOrg(), await newOrg()]
    await tell(org, 'feature:calls', ['+5', '+3'])
    await tell(other, 'feature:peak', ['+5', '=6'])
    await correct(org, 'e1', undefined, { id: 'fix' })
    const before = await api.rows()
    const cases: Array<[org: string, event: string, n: unknown, status: number, code: string, pointer?: string]> = [
      [org, 'e1', undefined, 409, 'correction_conflict'],
      [org, 'e1', 4, 409, 'correction_conflict'],
      [org, 'fix', undefined, 409, 'correction_conflict'],
      [org, 'nothing', undefined, 404, 'event_not_found'],
      ['org:nobody', 'e2', undefined, 400, 'org_not_found', '/org'],
      [org, 'e2', '1e3', 400, 'invalid_amount', '/n'],
      [org, 'e2', true, 400, 'invalid_request', '/n'],
      [other, 'e1', -1, 400, 'invalid_amount', '/n'],
      [other, 'e2', -1, 400, 'invalid_amount', '/n'],
      [org, 'a\u0000', 1, 400, 'invalid_id', '?id'],
      [org, 'x'.repeat(256), 1, 400, 'invalid_id', '?id']
    ]
    for (const [whose, id, n, status, code, pointer] of cases) {
      t.hasStrict(await correct(whose, id, n), { status, code, ...(pointer !== undefined && { errors: [{ pointer }] }) }, `${id} ${String(n)}`)
    }
    for (const [body, code, pointer] of [
      [{ n: 1 }, 'invalid_request', '/org'], [{ org, n: 1, id: '' }, 'invalid_id', '/id'], [{ org, n: 1, reason: '' }, 'invalid_request', '/reason'],
      [{ org, n: 1, reason: 'a\u0000' }, 'invalid_request', '/reason'], [{ org, n: 1, at: 'now' }, 'invalid_request', '/at'], [{ org }, 'invalid_request', '/n']
    ] as const) {
      t.hasStrict((await api.post('/v1/events/e2/amend', body)).body, { status: 400, code, errors: [{ pointer }] }, JSON.stringify(body))
    }
    t.hasStrict((await api.post(`/v1/events/e2/void?org=${other}`, { org })).body, { status: 400, code: 'invalid_request', errors: [{ pointer: '/org' }] })
    const live = await api.as('prv_live_0123456789abcdef')
    t.hasStrict((await live.post('/v1/events/e2/void', { org })).body, { code: 'org_not_found' })
    t.strictSame(await api.rows(), before)
    t.equal(await used(org), 3)
  })

  await t.test('the org may be said in the query', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', ['+5'])
    t.hasStrict((await api.post(`/v1/events/e1/amend?org=${org}`, { n: 1 })).body, { used: 1 })
  })

  await t.test('corrections and reports at the same moment are all counted', async t => {
    const org = await newOrg()
    await tell(org, 'feature:calls', Array.from({ length: 12 }, () => '+1'))
    await Promise.all(Array.from({ length: 12 }, async (_, i) => [
      await correct(org, `e${i + 1}`, i % 2 === 0 ? undefined : 3), await api.report(org, 'feature:calls', 2)
    ]))
    t.equal(await used(org), 6 * 3 + 12 * 2)
  })
}
