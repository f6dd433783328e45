import type { LosslessNumber } from 'lossless-json'
import { command, wholeOption } from './command.ts'
import { figure, json as jsonText, table } from './output.ts'

interface Window {
  readonly start: string
  readonly end: string | null
  readonly used: LosslessNumber
  readonly limit: LosslessNumber | null
  readonly remaining: LosslessNumber | null
  readonly overage: LosslessNumber
}

interface FeatureUsage {
  readonly feature: string
  readonly current: Window | null
  readonly past: readonly Window[]
}

const PAST = { standard: 12, min: 1, max: 100 }

export const usage = command({
  name: 'usage',
  summary: 'what an org used, now and before',
  args: ['<org>', '[feature]'],
  details: 'The current window of each feature, then past ones, newest first. Without a feature: all that are metered. ∞ is unlimited.',
  options: {
    past: { value: 'n', help: `past windows of each feature, up to ${PAST.max} (default ${PAST.standard})` },
    from: { value: 'time', help: 'only past windows that end after it: RFC 3339' },
    to: { value: 'time', help: 'only past windows that begin before it' }
  },
  remote: true,
  examples: ['tollgate usage org:acme', 'tollgate usage org:acme feature:api-calls --from 2025-06-01T00:00:00Z --json'],
  run: async ({ options: { past, from, to }, args: [org = '', feature], json, terminal: { stdout }, connect }) => {
    const query = new URLSearchParams({
      org,
      limit: String(wholeOption('past', past, PAST)),
      ...(feature !== undefined && { feature }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to })
    })
    const service = await connect()
    const answer = await service.callExactly('GET', `/v1/usage?${query}`)
    const features = feature === undefined ? (answer as { features: FeatureUsage[] }).features : [answer as FeatureUsage]
    stdout.write(json ? jsonText(answer) : table(['FEATURE', 'START', 'END', 'USED', 'LIMIT', 'REMAINING', 'OVERAGE'], features.flatMap(rowsOf)))
  }
})

function rowsOf ({ feature, current, past }: FeatureUsage): string[][] {
  return [...(current === null ? [] : [current]), ...past].map(({ start, end, used, limit, remaining, overage }) =>
    [feature, start, end ?? 'never', figure(used), figure(limit), figure(remaining), figure(overage)])
}
