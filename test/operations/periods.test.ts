import t from 'tap'
import { dateOf, openApi } from '../fixtures/api.ts'

const RESETS = ['hour', 'day', 'week', 'month', 'quarter', 'year', 'never'] as const

const api = await openApi(t)
await api.on('2023-01-31')
const features = Object.fromEntries(RESETS.map(reset => [`feature:${reset}`, { tiers: [{ upto: 10 }], reset }]))
await api.push({
  'plan:anchored@0': { features: { ...features, 'feature:files': { tiers: [{ upto: 10 }], aggregate: 'perpetual' } } },
  'plan:calendar@0': { anchor: 'calendar', features },
  'plan:yearly@0': { interval: '@yearly', features: { 'feature:seats': { tiers: [{ upto: 5 }] } } }
})

async function window (org: string, feature: string): Promise<string> {
  const { current: { start, end } } = await api.usage(org, feature)
  return `${dateOf(start)} ${dateOf(end)}`
}

t.test('who subscribes on 31 January is counted to the end of February, and from there to 31 March', async t => {
  await api.on('2023-01-31')
  await api.subscribe('org:month-end', 'plan:anchored@0')
  const report = async (date: string, n: number): Promise<number> => {
    await api.on(date)
    return (await api.report('org:month-end', 'feature:month', n)).used
  }
  t.equal(await report('2023-01-31', 4), 4)
  t.equal(await window('org:month-end', 'feature:month'), '2023-01-31 2023-02-28')
  t.equal(await report('2023-02-27T23:59:59.999Z', 7), 11)
  t.equal((await api.can('org:month-end', 'feature:month')).reason, 'limit_reached')
  t.equal(await report('2023-02-28', 1), 1)
  t.equal((await api.can('org:month-end', 'feature:month')).reason, 'within_limit')
  t.equal(await window('org:month-end', 'feature:month'), '2023-02-28 2023-03-31')
  t.equal(await report('2023-03-30T23:59:59.999Z', 1), 2)
  t.equal(await report('2023-03-31', 1), 1)
  t.equal(await window('org:month-end', 'feature:month'), '2023-03-31 2023-04-30')
  await api.on('2024-02-29')
  t.equal(await window('org:month-end', 'feature:month'), '2024-02-29 2024-03-31', 'a leap year')
  const { past } = await api.usage('org:month-end', 'feature:month')
  t.strictSame((past as Array<{ start: string, used: number }>).slice(-3).map(({ start, used }) => [dateOf(start), used]),
    [['2023-04-30', 0], ['2023-03-31', 1], ['2023-02-28', 2]])
})

t.test('every reset is counted from the instant of subscribing', async t => {
  await api.on('2024-01-31T10:30:00.000Z')
  await api.subscribe('org:anchored', 'plan:anchored@0')
  await api.on('2024-03-15T09:00:00.000Z')
  const at = (date: string): string => `${date}T10:30:00.000Z`
  t.equal(await window('org:anchored', 'feature:hour'), '2024-03-15T08:30:00.000Z 2024-03-15T09:30:00.000Z')
  t.equal(await window('org:anchored', 'feature:day'), `${at('2024-03-14')} ${at('2024-03-15')}`)
  t.equal(await window('org:anchored', 'feature:week'), `${at('2024-03-13')} ${at('2024-03-20')}`)
  t.equal(await window('org:anchored', 'feature:month'), `${at('2024-02-29')} ${at('2024-03-31')}`)
  t.equal(await window('org:anchored', 'feature:quarter'), `${at('2024-01-31')} ${at('2024-04-30')}`)
  t.equal(await window('org:anchored', 'feature:year'), `${at('2024-01-31')} ${at('2025-01-31')}`)
  t.equal(await window('org:anchored', 'feature:never'), '1970-01-01 null')
})

t.test('with the calendar as anchor they begin where the calendar\'s do, a week on Monday', async t => {
  await api.on('2024-01-31T10:30:00.000Z')
  await api.subscribe('org:calendar', 'plan:calendar@0')
  await api.on('2024-03-15T09:00:00.000Z')
  t.equal(await window('org:calendar', 'feature:hour'), '2024-03-15T09:00:00.000Z 2024-03-15T10:00:00.000Z')
  t.equal(await window('org:calendar', 'feature:day'), '2024-03-15 2024-03-16')
  t.equal(await window('org:calendar', 'feature:week'), '2024-03-11 2024-03-18')
  t.equal(await window('org:calendar', 'feature:month'), '2024-03-01 2024-04-01')
  t.equal(await window('org:calendar', 'feature:quarter'), '2024-01-01 2024-04-01')
  t.equal(await window('org:calendar', 'feature:year'), '2024-01-01 2025-01-01')
  t.equal(await window('org:calendar', 'feature:never'), '1970-01-01 null')
})

t.test('at each reset, usage is at 0 and what was used is history', async t => {
  await api.on('2024-01-01')
  await api.subscribe('org:reset', 'plan:anchored@0')
  const ends = { hour: '2024-01-01T01:00:00.000Z', day: '2024-01-02', week: '2024-01-08', month: '2024-02-01', quarter: '2024-04-01', year: '2025-01-01' }
  for (const reset of RESETS) await api.report('org:reset', `feature:${reset}`, 10)
  for (const [reset, end] of Object.entries(ends)) {
    await api.on(new Date(new Date(end).getTime() - 1).toISOString())
    t.hasStrict(await api.can('org:reset', `feature:${reset}`), { ok: false, used: 10, limit: 10 }, `a ${reset} is not over`)
    await api.on(end)
    t.hasStrict(await api.can('org:reset', `feature:${reset}`), { ok: true, used: 0, limit: 10 }, `a ${reset} is over`)
    t.hasStrict((await api.usage('org:reset', `feature:${reset}`)).past.at(-1), { used: 10 })
  }
  await api.on('2099-12-31')
  t.hasStrict(await api.can('org:reset', 'feature:never'), { ok: false, used: 10, resetsAt: null }, 'never')
})

t.test('the interval of a plan is the reset of its features', async t => {
  await api.on('2024-02-29')
  await api.subscribe('org:yearly', 'plan:yearly@0')
  t.equal(await window('org:yearly', 'feature:seats'), '2024-02-29 2025-02-28')
  t.hasStrict((await api.phase('org:yearly')).current, { effective: '2024-02-29T00:00:00.000Z', end: '2025-02-28T00:00:00.000Z' })
  await api.on('2028-03-01')
  t.equal(await window('org:yearly', 'feature:seats'), '2028-02-29 2029-02-28', 'and a leap day comes back')
})

t.test('perpetual: the last value, for ever, also where its plan is cancelled and held again', async t => {
  await api.on('2024-01-01')
  await api.subscribe('org:files', 'plan:anchored@0')
  await api.report('org:files', 'feature:files', 8)
  await api.on('2024-06-01')
  t.hasStrict(await api.can('org:files', 'feature:files', 11), { ok: false, used: 8, resetsAt: null })
  t.equal((await api.report('org:files', 'feature:files', 6)).used, 6)
  t.equal((await api.report('org:files', 'feature:files', 9, { at: '2024-05-01T00:00:00Z' })).used, 6, 'an older value is not the last')
  await api.subscribe('org:files', {})
  await api.on('2024-07-01')
  await api.subscribe('org:files', 'plan:anchored@0')
  t.equal((await api.can('org:files', 'feature:files')).used, 6)
})

t.end()
