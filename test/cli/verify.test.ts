import t from 'tap'
import { servedTool } from './served.ts'

const EVERY = /^5 events in 2 windows of 2 orgs, \d+\.\d s: nothing differs\n$/

t.test('verify', async t => {
  const { api, tool, json } = await servedTool(t, { on: 'embedded' })
  for (const org of ['org:acme', 'org:other']) await api.subscribe(org, 'plan:pro@1')
  for (let n = 1; n <= 4; n += 1) await api.report('org:acme', 'feature:calls', n, { id: `call-${n}` })
  await api.report('org:other', 'feature:calls', '0.5')
  const run = async (text: string): Promise<unknown> => await api.database.run([{ text, params: [] }])

  await t.test('says what it has looked at', async t => {
    const { code, stdout, stderr } = await tool('verify')
    t.strictSame([code, stderr], [0, ''])
    t.match(stdout, EVERY)
    t.strictSame(await json('verify', '--org', 'org:acme'), {
      checked: { orgs: 1, windows: 1, events: 4, pruned: 0 }, mirror: 'none', found: 0, mended: 0, differences: []
    })
  })

  await t.test('ends with 1 if something differs, with 0 once it is mended', async t => {
    await run('update counters set used = used + 2.5 where used = 10')
    const found = await tool('verify')
    t.strictSame([found.code, found.stderr], [1, 'tollgate: 1 difference\n'])
    const line = /^org:acme feature:calls \S+Z to \S+Z: the counter says 12.5, its events come to 10\n5 events.*: 1 differ\n$/
    t.match(found.stdout, line)
    const mended = await tool('verify', '--repair')
    t.strictSame([mended.code, mended.stderr], [0, ''])
    t.match(mended.stdout, /come to 10 \(mended\)\n5 events in .*: 1 differ, 1 mended\n$/)
    t.match((await tool('verify')).stdout, EVERY)
  })

  await t.test('names what it cannot mend', async t => {
    await run("delete from events where id = 'call-3'")
    const { code, stdout, stderr } = await tool('verify', '--repair', '--org', 'org:acme')
    t.strictSame([code, stderr], [1, 'tollgate: 1 difference\n'])
    t.match(stdout, /: 3 is missing between event "call-2" \(2\) and event "call-4" \(4\): an event was deleted, or/)
    t.hasStrict(await json('verify'), { found: 1, mended: 0, differences: [{ kind: 'event_missing', missing: 3, after: { id: 'call-2', seq: 2 } }] })
    t.match(await tool('verify', '--org', 'acme'), { code: 1, stdout: '', stderr: /^tollgate: org must be prefixed with "org:" \(invalid_request\)\n$/ })
  })
})
