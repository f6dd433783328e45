import t from 'tap'
import { cells, servedTool } from './served.ts'

const { api, tool, json } = await servedTool(t)
const phasesOf = async (org: string) => (await api.phases(org)).phases

t.test('phases: the current one, as Tier shows it; with --all those that are scheduled, too', async t => {
  await api.post('/v1/subscribe', { org: 'org:p', phases: [{ features: ['plan:free@0'] }, { effective: '2100-01-01T00:00:00Z' }] })
  const [phase] = await phasesOf('org:p')
  const current = [[phase.effective, 'feature:calls', 'plan:free@0'], [phase.effective, 'feature:sso', 'plan:free@0']]
  t.strictSame(cells((await tool('phases', 'org:p')).stdout), [['EFFECTIVE', 'FEATURE', 'PLAN'], ...current])
  t.strictSame(cells((await tool('phases', 'org:p', '--all')).stdout).slice(1), [...current, ['2100-01-01T00:00:00.000Z', '-', '-']])
  t.match((await json('phases', 'org:p')).phases.length, 1)
  await api.subscribe('org:p2', { effective: '2100-01-01T00:00:00Z', features: ['plan:free@0'] })
  t.match(await tool('phases', 'org:p2'), { code: 0, stdout: 'EFFECTIVE  FEATURE  PLAN\n' }, 'none is current')
  t.equal(cells((await tool('phases', 'org:p2', '--all')).stdout).length, 3)
})

t.test('can answers by its exit code: 0 yes, 1 no, 3 nobody knows', async t => {
  await api.subscribe('org:c', 'plan:free@0')
  t.match(await tool('can', 'org:c', 'feature:calls'), { code: 0, stdout: 'ok\n', stderr: '' })
  t.match(await tool('can', 'org:c', 'feature:calls', '--n', '11'), { code: 1, stdout: 'limit_reached\n', stderr: '' })
  t.match(await tool('can', 'org:c', 'feature:none'), { code: 1, stdout: 'feature_not_found\n', stderr: '' })
  const verdict = await tool('can', 'org:c', 'feature:calls', '--n', '11', '--json')
  t.match([verdict.code, JSON.parse(verdict.stdout)], [1, { ok: false, reason: 'limit_reached', limit: 10 }])
  t.match(await tool('can', 'org:nobody', 'feature:calls'), { code: 3, stdout: '', stderr: 'tollgate: org not found (org_not_found)\n' })
  t.match(await tool('can', 'org:c', 'feature:calls', '--n', 'x'), { code: 3, stderr: /invalid_amount/ })
  t.match(await tool('can', 'org:c', 'feature:calls', '--url', 'http://127.0.0.1:1'), { code: 3, stdout: '', stderr: /^tollgate: cannot reach/ })
  t.match(await tool('can', 'org:c'), { code: 2, stdout: '', stderr: /^tollgate: can needs <feature>/ })
})

t.test('whois and whoami', async t => {
  await api.post('/v1/subscribe', { org: 'org:w', phases: [{}], info: { name: 'W' } })
  t.match(await tool('whois', 'org:w'), { code: 0, stdout: /^org_\d+\n$/, stderr: '' })
  t.match(await json('whois', 'org:w'), { org: 'org:w', name: 'W', stripe_id: /^org_/ })
  t.match(await tool('whoami'), {
    code: 0, stderr: '', stdout: /^ID: {9}test\nKeySource: {2}none\nIsolated: {3}true\nEmail:\nCreated: {4}\d{4}-.*Z\nURL:\n$/
  })
  t.match(await json('whoami'), { id: 'test', isolated: true })
})
