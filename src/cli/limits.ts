import type { LosslessNumber } from 'lossless-json'
import { command } from './command.ts'
import { figure, json as jsonText, table } from './output.ts'

interface Limits {
  readonly usage: ReadonlyArray<{ readonly feature: string, readonly used: LosslessNumber, readonly limit: LosslessNumber }>
}

/** How Tier's wire writes unlimited, digit by digit. */
const UNLIMITED = '9223372036854775807'

export const limits = command({
  name: 'limits',
  summary: 'what an org may use, and has used',
  args: ['<org>'],
  details: 'In whole numbers, as Tier has it: used is rounded up, limits down; ∞ is unlimited. A feature that is not metered is 1 of ∞.',
  options: {},
  remote: true,
  examples: ['tollgate limits org:acme', 'tollgate limits org:acme --json'],
  run: async ({ args: [org = ''], json, terminal: { stdout }, connect }) => {
    const service = await connect()
    const answer = await service.callExactly('GET', `/v1/limits?${new URLSearchParams({ org })}`)
    const { usage } = answer as Limits
    const rows = usage.map(({ feature, used, limit }) => [feature, figure(limit.value === UNLIMITED ? null : limit), figure(used)])
    stdout.write(json ? jsonText(answer) : table(['FEATURE', 'LIMIT', 'USED'], rows))
  }
})
