import { command, UsageProblem } from './command.ts'
import { json as jsonText } from './output.ts'

/** The last second that a date in JavaScript can be. */
const SECONDS_MAX = 8_640_000_000_000

export const report = command({
  name: 'report',
  summary: 'record that an org used a feature',
  args: ['<org>', '<feature>', '[n]'],
  details: `Prints nothing, unless with --json. Never refused because of a limit. n is 1 if absent; it may have decimals and up to
28 digits, and a negative one takes back what was reported. Reports with the same --id count once, so try again as you like.`,
  options: {
    clobber: { help: 'set the total of the window to n, instead of adding' },
    at: { value: 'time', help: 'when it was used: RFC 3339, or seconds since 1970 (default now)' },
    id: { value: 'text', help: 'of this use: the same id counts once' }
  },
  remote: true,
  examples: ['tollgate report org:acme feature:api-calls 3', 'tollgate report org:acme feature:api-calls 10 --at 2025-06-30T12:00:00Z --id job-17'],
  run: async ({ options: { clobber, at, id }, args: [org = '', feature = '', n = '1'], json, terminal: { stdout }, connect }) => {
    const body = { org, feature, n, clobber, ...(at !== undefined && { at: timeOf(at) }), ...(id !== undefined && { id }) }
    const service = await connect()
    const answer = await service.callExactly('POST', '/v1/report', body)
    if (json) stdout.write(jsonText(answer))
  }
})

/** Tier takes seconds; what else it may be is the service's to judge. @throws UsageProblem */
function timeOf (at: string): string {
  if (!/^\d+$/.test(at)) return at
  if (Number(at) > SECONDS_MAX) throw new UsageProblem(`--at must be RFC 3339 or seconds since 1970, not "${at}"`)
  return new Date(Number(at) * 1_000).toISOString()
}
