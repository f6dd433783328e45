import type { LosslessNumber } from 'lossless-json'
import { command } from './command.ts'
import { json as jsonText, table } from './output.ts'

/** What is read of `GET /v1/pull`; what goes without saying is absent. */
interface Document {
  readonly plans: Readonly<Record<string, {
    readonly features: Readonly<Record<string, {
      readonly base?: LosslessNumber
      readonly mode?: string
      readonly aggregate?: string
      readonly tiers?: readonly unknown[]
      readonly type?: 'metered'
    }>>
  }>>
}

export const ls = command({
  name: 'ls',
  summary: 'the features of the published plans',
  details: 'A feature that is not metered, which grants access, is "licensed", as Tier calls it. BASE is in minor units: cents.',
  options: {},
  remote: true,
  examples: ['tollgate ls', 'tollgate ls --json'],
  run: async ({ json, terminal: { stdout }, connect }) => {
    const service = await connect()
    const features = featuresOf(await service.callExactly('GET', '/v1/pull') as Document)
    const rows = features.map(({ plan, feature, mode, aggregate, base }) => [plan, feature, mode, aggregate ?? '-', String(base)])
    stdout.write(json ? jsonText({ features }) : table(['PLAN', 'FEATURE', 'MODE', 'AGG', 'BASE'], rows))
  }
})

function featuresOf ({ plans }: Document) {
  return Object.entries(plans).flatMap(([plan, { features }]) =>
    Object.entries(features).map(([feature, { base = 0, mode, aggregate, tiers, type }]) => {
      const metered = type === 'metered' || tiers !== undefined
      return { plan, feature, mode: metered ? mode ?? 'graduated' : 'licensed', aggregate: metered ? aggregate ?? 'sum' : null, base }
    }))
}
