import t, { type Test } from 'tap'
import { type Api, type Body, dateOf, openApi, timeOf } from '../fixtures/api.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'

const ORG = 'org:walks'

/** Everything over HTTP: what a test of somebody's own product would send. */
async function walk (t: Test, api: Api): Promise<void> {
  await api.push({
    'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } },
    'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:sso': {} } }
  })
  const { id, ...made } = (await api.post('/v1/clock', { name: 'walk', present: '2023-12-31T00:00:00Z' })).body
  t.strictSame(made, { link: '', present: '2023-12-31T00:00:00.000Z', status: '' })
  const clock = await api.onClock(id)

  const advance = async (date: string): Promise<void> => {
    t.hasStrict((await clock.post('/v1/clock', { id, present: timeOf(date) })).body, { id, present: timeOf(date), status: '' }, date)
    t.hasStrict((await clock.get('/v1/clock', { id })).body, { id, present: timeOf(date), status: 'ready' })
  }
  /** `used/limit until`, as every call that tells it says it. */
  const stands = async (expected: string, ok = true): Promise<void> => {
    const shown = ({ used, limit }: Body, end: string): string => `${used}/${limit} until ${dateOf(end)}`
    const verdict = await clock.can(ORG, 'feature:calls')
    const { current } = await clock.usage(ORG, 'feature:calls')
    const { usage: [calls] } = await clock.limits(ORG)
    t.strictSame([verdict.ok, shown(verdict, verdict.resetsAt), shown(current, current.end)], [ok, expected, expected])
    t.strictSame(`${calls.used}/${calls.limit}`, expected.split(' ')[0])
  }
  const report = async (n: number): Promise<boolean> => t.hasStrict(await clock.report(ORG, 'feature:calls', n), { duplicate: false })

  await t.test('a trial of 31 days begins', async () => {
    const features = ['plan:pro@0']
    await clock.subscribe(ORG, { features, trial: true }, { features, effective: '2024-01-31' })
    t.equal((await clock.whois(ORG, { include: 'info' })).created, '2023-12-31T00:00:00.000Z')
    t.strictSame(await clock.phase(ORG), {
      effective: '2023-12-31T00:00:00.000Z',
      end: '2024-01-31T00:00:00.000Z',
      features: ['feature:calls@plan:pro@0', 'feature:sso@plan:pro@0'],
      plans: ['plan:pro@0'],
      trial: true,
      current: { effective: '2023-12-31T00:00:00.000Z', end: '2024-01-31T00:00:00.000Z' }
    })
    await report(30)
    await stands('30/100 until 2024-01-31')
    await advance('2024-01-30T23:59:59.999Z')
    await report(71)
    await stands('101/100 until 2024-01-31', false)
  })

  await t.test('it ends on 31 January, and paying begins with nothing used', async () => {
    await advance('2024-01-31')
    const { trial, effective, end } = await clock.phase(ORG)
    t.strictSame([trial, effective, end], [undefined, '2024-01-31T00:00:00.000Z', undefined])
    await stands('0/100 until 2024-02-29')
    await report(40)
    await stands('40/100 until 2024-02-29')
    t.hasStrict(await clock.report(ORG, 'feature:calls', 1, { at: '2024-01-31T00:05:00.001Z' }), { status: 400, errors: [{ pointer: '/at' }] })
    await advance('2024-02-28T23:59:59.999Z')
    await stands('40/100 until 2024-02-29')
  })

  await t.test('it renews on 29 February, to 31 March', async () => {
    await advance('2024-02-29')
    t.strictSame((await clock.phase(ORG)).current, { effective: '2024-02-29T00:00:00.000Z', end: '2024-03-31T00:00:00.000Z' })
    await stands('0/100 until 2024-03-31')
    await report(60)
    t.hasStrict(await clock.report(ORG, 'feature:calls', 2, { at: '2024-02-28T12:00:00Z' }), { used: 42 }, 'late, for the window before')
    await stands('60/100 until 2024-03-31')
  })

  await t.test('a smaller plan decides at once, and keeps what was used', async () => {
    await advance('2024-03-10')
    await clock.subscribe(ORG, 'plan:free@0')
    await stands('60/10 until 2024-03-31', false)
    t.hasStrict(await clock.can(ORG, 'feature:sso'), { ok: false, reason: 'feature_not_found' })
    await advance('2024-03-31')
    await stands('0/10 until 2024-04-30')
    await report(5)
    await stands('5/10 until 2024-04-30')
  })

  await t.test('cancelled, nothing may be used, and what was used stays to be seen', async () => {
    await advance('2024-04-10')
    await clock.subscribe(ORG, {})
    const gone = async (): Promise<void> => {
      t.hasStrict(await clock.can(ORG, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
      t.hasStrict(await clock.report(ORG, 'feature:calls'), { status: 400, code: 'feature_not_found' })
      t.hasStrict(await clock.phase(ORG), { status: 404, code: 'not_found' })
      const { current, past } = await clock.usage(ORG, 'feature:calls', { limit: '100' })
      t.equal(current, null)
      t.strictSame((past as Body[]).map(({ start, used, limit }) => [dateOf(start), used, limit]).filter(([, used]) => used !== 0),
        [['2024-03-31', 5, 10], ['2024-02-29', 60, 10], ['2024-01-31', 42, 100], ['2023-12-31', 101, 100]])
    }
    await gone()
    await advance('2025-02-28')
    await gone()
  })

  t.hasStrict(await api.whois(ORG), { code: 'org_not_found' }, 'nothing of it happened to the environment')
}

const TITLE = 'a test clock walks an org through trial, renewal over 31 January and 29 February, plan change and cancel'

t.test(`${TITLE}: embedded`, async t => await walk(t, await openApi(t, { on: 'embedded' })))

t.test(`${TITLE}: on Postgres and Redis`, { skip: postgresMissing || redisMissing }, async t => {
  const api = await openApi(t, { on: 'servers' })
  await walk(t, api)
  t.match(await api.metrics.registry.metrics(), /tollgate_mirror_reads_total\{result="hit"\} [1-9]/, 'some verdicts came from Redis')
})

t.end()
