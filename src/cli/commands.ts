import { can } from './can.ts'
import { type Command, UsageProblem } from './command.ts'
import { help } from './help.ts'
import { keysCreate, keysList, keysRevoke, keysRotate } from './keys.ts'
import { limits } from './limits.ts'
import { ls } from './ls.ts'
import { phases } from './phases.ts'
import { pull } from './pull.ts'
import { push } from './push.ts'
import { replay } from './replay.ts'
import { report } from './report.ts'
import { serve } from './serve.ts'
import { subscribe } from './subscribe.ts'
import { usage } from './usage.ts'
import { verify } from './verify.ts'
import { version } from './version.ts'
import { whoami } from './whoami.ts'
import { whois } from './whois.ts'

/** In the order of the overview. */
export const commands: readonly Command[] = [
  serve, push, pull, ls, subscribe, phases, limits, can, report, usage, whois, whoami, replay, verify,
  keysCreate, keysList, keysRotate, keysRevoke, version, help(() => commands)
]

/** What programs are asked before anything is known of them. */
const SHORT: Readonly<Record<string, string>> = { '--help': 'help', '-h': 'help', '--version': 'version', '-v': 'version' }

export interface Named {
  readonly command: Command
  readonly rest: readonly string[]
}

/** The command that a line begins with. @throws UsageProblem */
export function commandAt (words: readonly string[]): Named {
  const [first = 'help', ...rest] = words
  const name = SHORT[first] ?? first
  const two = commands.find(command => command.name === `${name} ${rest[0]}`)
  if (two !== undefined) return { command: two, rest: rest.slice(1) }
  const one = commands.find(command => command.name === name)
  if (one !== undefined) return { command: one, rest }
  if (first.startsWith('-')) throw new UsageProblem(`the command comes first: tollgate <command> ${first}`)
  const actions = commands.filter(command => command.name.startsWith(`${name} `)).map(command => command.name.slice(name.length + 1))
  if (actions.length === 0) throw new UsageProblem(`there is no command "${name}"`)
  if (rest.includes('--help') || rest.includes('-h')) return commandAt(['help', name])
  throw new UsageProblem(`${name} is followed by one of: ${actions.join(', ')}`)
}
