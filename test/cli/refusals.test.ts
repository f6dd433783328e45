import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { servedTool } from './served.ts'
import { runCommand } from './tool.ts'

const { api, tool } = await servedTool(t)
await api.subscribe('org:a', 'plan:free@0')

t.test('what the service refuses is a sentence of the service', async t => {
  const cases: Array<[words: string[], stderr: RegExp]> = [
    [['subscribe', 'org:a', 'plan:none@0'], /^tollgate: feature or plan not found \(TERR1020\)\n$/],
    [['subscribe', 'org:a', 'plan:free'], /^tollgate: plan must have version \(invalid_request\)\n$/],
    [['subscribe', 'org:a', 'plan:free@0', '--paymentmethod', 'pm_x'], /^tollgate: No such PaymentMethod: 'pm_x' \(invalid_payment_method\)\n$/],
    [['subscribe', 'org:a', '--email', 'nobody'], /\(invalid_email\)\n$/],
    [['report', 'org:nobody', 'feature:calls'], /^tollgate: org not found \(org_not_found\)\n$/],
    [['report', 'org:a', 'feature:calls', 'many'], /^tollgate: n must be a number .*\(invalid_amount\)\n$/],
    [['report', 'org:a', 'feature:calls', '--at', 'yesterday'], /^tollgate: at must be an RFC 3339 time .*\n$/],
    [['phases', 'acme'], /^tollgate: org must be prefixed with "org:" \(invalid_request\)\n$/],
    [['limits', 'org:nobody'], /org_not_found/],
    [['usage', 'org:nobody'], /org_not_found/],
    [['whois', 'org:nobody'], /org_not_found/],
    [['usage', 'org:a', '--from', 'x'], /^tollgate: from must be an RFC 3339 time/]
  ]
  await Promise.all(cases.map(async ([words, stderr]) => t.match(await tool(...words), { code: 1, stdout: '', stderr }, words.join(' '))))
})

t.test('where something else answers, that is said', async t => {
  await answeredBy(t, 'nothing of ours', 404)
  await answeredBy(t, '<html>', 200)
})

async function answeredBy (t: Test, text: string, status: number): Promise<void> {
  const server = createServer((_request, response) => response.writeHead(status).end(text))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  t.match(await runCommand(['limits', 'org:a', '--url', `http://127.0.0.1:${port}`]), {
    code: 1, stdout: '', stderr: `tollgate: http://127.0.0.1:${port} answered ${status}, and not as Tollgate does: is it the right address?\n`
  })
}
