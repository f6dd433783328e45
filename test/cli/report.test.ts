import t from 'tap'
import { cells, servedTool, SILENT } from './served.ts'

const { api, tool, json } = await servedTool(t)

t.test('report says nothing; limits shows it, unlimited as Tier does', async t => {
  await api.subscribe('org:l', 'plan:pro@1')
  t.match(await tool('report', 'org:l', 'feature:calls', '3'), SILENT)
  t.match(await tool('report', 'org:l', 'feature:calls'), SILENT, 'one')
  t.match(await tool('report', 'org:l', 'feature:calls', '-1.5'), SILENT, 'a decrease')
  t.strictSame(cells((await tool('limits', 'org:l')).stdout), [
    ['FEATURE', 'LIMIT', 'USED'], ['feature:bytes', '∞', '0'], ['feature:calls', '1000', '3'], ['feature:sso', '∞', '1']
  ])
  t.match(await tool('limits', 'org:l', '--json'), { code: 0, stdout: /"limit": 9223372036854775807\n/ }, 'digit by digit')
  t.match(await tool('report', 'org:l', 'feature:calls', '10', '--clobber'), SILENT)
  const once = await json('report', 'org:l', 'feature:calls', '5', '--id', 'job-1')
  const again = await json('report', 'org:l', 'feature:calls', '5', '--id', 'job-1')
  t.match([once, again], [{ used: 15, duplicate: false, id: 'job-1' }, { used: 15, duplicate: true }])
})

t.test('figures leave as exactly as they came', async t => {
  await api.subscribe('org:x', 'plan:pro@1')
  const n = '9223372036854775806.123456789'
  const { stdout } = await tool('report', 'org:x', 'feature:bytes', n, '--json')
  t.match(stdout, `"used": ${n},`)
  t.match(await tool('usage', 'org:x', 'feature:bytes'), { stdout: `  ${n}  ∞ ` })
  t.match(await tool('usage', 'org:x', 'feature:bytes', '--json'), { stdout: `"used": ${n},` })
  t.match(await tool('can', 'org:x', 'feature:bytes', '--json'), { stdout: `"used": ${n},` })
  await tool('report', 'org:x', 'feature:bytes', '9223372036854775808', '--clobber')
  t.strictSame(cells((await tool('limits', 'org:x')).stdout)[1], ['feature:bytes', '∞', '9223372036854775808'])
})

t.test('at is RFC 3339, or seconds as Tier takes them', async t => {
  await api.subscribe('org:at', { effective: '2024-01-01T00:00:00Z', features: ['plan:pro@1'] })
  t.match(await json('report', 'org:at', 'feature:calls', '--at', '1704067200'), { window: { start: '2024-01-01T00:00:00.000Z' } })
  t.match(await json('report', 'org:at', 'feature:calls', '--at', '2024-02-29T12:00:00+02:00'), { window: { start: '2024-02-01T00:00:00.000Z' } })
  t.match(await tool('report', 'org:at', 'feature:calls', '--at', '99999999999999'), { code: 2, stderr: /^tollgate: --at must be RFC 3339 or seconds since 1970/ })
  const usage = await tool('usage', 'org:at', 'feature:calls', '--to', '2024-03-01T00:00:00Z')
  const [names, , ...past] = cells(usage.stdout)
  t.strictSame(names, ['FEATURE', 'START', 'END', 'USED', 'LIMIT', 'REMAINING', 'OVERAGE'])
  t.strictSame(past, [
    ['feature:calls', '2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z', '1', '1000', '999', '0'],
    ['feature:calls', '2024-01-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z', '1', '1000', '999', '0']
  ])
  t.equal(cells((await tool('usage', 'org:at', 'feature:calls', '--past', '1')).stdout).length, 3)
  t.match((await json('usage', 'org:at')).features, [{ feature: 'feature:bytes' }, { feature: 'feature:calls' }], 'all that are metered')
  t.match(await tool('usage', 'org:at', '--past', '101'), { code: 2, stderr: /^tollgate: --past must be a whole number from 1 to 100/ })
})
