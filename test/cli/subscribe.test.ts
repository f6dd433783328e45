import t from 'tap'
import { servedTool, SILENT } from './served.ts'
import { runCommand } from './tool.ts'

const DAY_MS = 86_400_000

const { api, tool, json } = await servedTool(t)
const phasesOf = async (org: string) => (await api.phases(org)).phases

t.test('subscribe says nothing and does it', async t => {
  t.match(await tool('subscribe', 'org:a', 'plan:free@0', '--email', 'a@example.com'), SILENT)
  t.match(await phasesOf('org:a'), [{ plans: ['plan:free@0'] }])
  t.match(await json('whois', 'org:a'), { org: 'org:a', email: 'a@example.com' })
  t.match(await tool('subscribe', 'org:a', 'feature:calls@plan:pro@1', 'feature:sso@plan:free@0'), SILENT)
  t.match(await phasesOf('org:a'), [{ fragments: ['feature:calls@plan:pro@1', 'feature:sso@plan:free@0'] }])
  t.match(await tool('subscribe', 'org:a', '--email', 'b@example.com'), SILENT, 'what it holds stays')
  t.equal((await phasesOf('org:a')).length, 1)
  t.strictSame(await json('subscribe', 'org:a', '--cancel'), {})
  t.strictSame(await phasesOf('org:a'), [])
})

t.test('a trial comes first; a negative one has no end', async t => {
  const before = Date.now()
  t.match(await tool('subscribe', 'org:trial', 'plan:pro@1', '--trial', '14'), SILENT)
  const [trial, paid] = await phasesOf('org:trial')
  t.match([trial, paid], [{ trial: true, plans: ['plan:pro@1'] }, { plans: ['plan:pro@1'] }])
  const days = (Date.parse(paid.effective) - before) / DAY_MS
  t.ok(days >= 14 && days < 14.01, `${days} days`)
  t.match(await tool('subscribe', 'org:endless', 'plan:pro@1', '--trial', '-1'), SILENT)
  t.match(await phasesOf('org:endless'), [{ trial: true, end: undefined }])
  t.equal((await phasesOf('org:endless')).length, 1)
})

t.test('a trial on a test clock, and in frozen time, is counted from there', async t => {
  const { body: { id } } = await api.post('/v1/clock', { name: 'x', present: '2024-01-31T00:00:00Z' })
  t.match(await tool('subscribe', 'org:clocked', 'plan:pro@1', '--trial', '2', '--clock', id), SILENT)
  const { phases } = await json('phases', 'org:clocked', '--all', '--clock', id)
  t.match(phases, [{ effective: '2024-01-31T00:00:00.000Z' }, { effective: '2024-02-02T00:00:00.000Z' }])
  t.match(await tool('limits', 'org:clocked'), { code: 1, stderr: /^tollgate: org not found \(org_not_found\)\n/ }, 'elsewhere it does not exist')
  t.match(await tool('limits', 'org:clocked', '--clock', 'clock-none'), { code: 1, stdout: '', stderr: /org_not_found/ })
  await api.on('2024-05-01')
  t.match(await tool('subscribe', 'org:frozen', 'plan:pro@1', '--trial', '1'), SILENT)
  t.match(await phasesOf('org:frozen'), [{ trial: true }, { effective: '2024-05-02T00:00:00.000Z' }])
  await api.settings({})
})

t.test('checkout prints the address of a page', async t => {
  const words = ['subscribe', 'org:buyer', 'plan:pro@1', '--checkout', 'https://app.example.com/thanks', '--cancel_url', 'https://app.example.com/', '--trial', '3']
  const { code, stdout, stderr } = await tool(...words, '--email', 'buyer@example.com', '--require_billing_address', '--tax', 'auto')
  t.strictSame([code, stderr], [0, ''])
  const page = await fetch(stdout.trim())
  t.equal(page.status, 200)
  t.match(await page.text(), /plan:pro@1|3 days/)
  t.match(await json('whois', 'org:buyer'), { email: 'buyer@example.com' })
  t.strictSame(await phasesOf('org:buyer'), [], 'the customer has not confirmed')
  t.match((await json(...words)).url, /^http:/)
})

t.test('what does not go together is said before anybody is asked', async t => {
  const cases: Array<[words: string[], message: string]> = [
    [['org:a'], 'subscribe needs a plan, or --cancel, --checkout or --email'],
    [['org:a', '--cancel', 'plan:free@0'], '--cancel ends all that the org holds, and takes no plans'],
    [['org:a', '--cancel', '--checkout', 'http://x'], '--cancel and --checkout do not go together'],
    [['org:a', '--trial', '3'], '--trial needs a plan to try'],
    [['org:a', 'plan:free@0', '--trial', 'soon'], '--trial must be a whole number from 0 to 730, not "soon"'],
    [['org:a', 'plan:free@0', '--trial', '-1', '--checkout', 'http://x'], '--checkout is for trials that end: give --trial a number of days'],
    [['org:a', 'plan:free@0', '--cancel_url', 'http://x'], '--cancel_url needs --checkout'],
    [['org:a', 'plan:free@0', '--require_billing_address'], '--require_billing_address needs --checkout'],
    [['org:a', '--checkout', 'http://x', '--paymentmethod', 'pm'], '--checkout lets the customer choose how to pay: leave out --paymentmethod'],
    [['org:a', 'plan:free@0', '--tax', 'manual'], '--tax must be auto, not "manual"']
  ]
  await Promise.all(cases.map(async ([words, message]) => {
    t.match(await runCommand(['subscribe', ...words, '--url', 'http://127.0.0.1:1']), {
      code: 2, stdout: '', stderr: `tollgate: ${message}\ntollgate: for help: tollgate help subscribe\n`
    })
  }))
})
