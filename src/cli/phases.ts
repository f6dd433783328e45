import { command } from './command.ts'
import { json as jsonText, table } from './output.ts'
import { partsOf } from './push.ts'

interface Phases {
  readonly current: { readonly effective: string }
  readonly phases: ReadonlyArray<{ readonly effective: string, readonly features?: readonly string[] }>
}

/** How the service, as Tier, says that nothing is in force. */
const NO_TIME = '0001-01-01T00:00:00Z'

export const phases = command({
  name: 'phases',
  summary: 'what an org holds, and since when',
  args: ['<org>'],
  details: 'As Tier has it, the current phase alone; --all adds those that are scheduled. A phase that cancels has "-" for a feature.',
  options: { all: { help: 'scheduled phases, too' } },
  remote: true,
  examples: ['tollgate phases org:acme', 'tollgate phases org:acme --all --json'],
  run: async ({ options: { all }, args: [org = ''], json, terminal: { stdout }, connect }) => {
    const service = await connect()
    const answer = await service.callExactly('GET', `/v1/phases?${new URLSearchParams({ org })}`) as Phases
    const inForce = answer.current.effective === NO_TIME ? 0 : 1
    const shown = all ? answer.phases : answer.phases.slice(0, inForce)
    const rows = shown.flatMap(({ effective, features = [] }) =>
      features.length === 0 ? [[effective, '-', '-']] : features.map(partsOf).map(([plan, feature]) => [effective, feature, plan]))
    stdout.write(json ? jsonText({ ...answer, phases: shown }) : table(['EFFECTIVE', 'FEATURE', 'PLAN'], rows))
  }
})
