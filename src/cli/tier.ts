#!/usr/bin/env node
import { UsageProblem } from './command.ts'
import { commandAt, type Named } from './commands.ts'
import { endWithReader, runLine } from './run.ts'
import { serve } from './serve.ts'
import { sidecar } from './sidecar.ts'

/** What Tier's SDK puts in front of `serve`, by the names that our options have. */
const FLAGS: Readonly<Record<string, string>> = { '--live': '--live', '-v': '--verbose' }

/** As `tollgate`, but for `serve`. @throws UsageProblem */
function find (words: readonly string[]): Named {
  if (words.join(' ') === 'help serve') return { command: sidecar, rest: ['--help'] }
  const first = words.findIndex(word => FLAGS[word] === undefined)
  if (first < 1) return sidecarFor(commandAt(words))
  const named = sidecarFor(commandAt(words.slice(first)))
  const flags = words.slice(0, first)
  if (named.command !== sidecar) throw new UsageProblem(`${flags.join(' ')} is for serve: elsewhere the key says which environment`)
  return { command: sidecar, rest: [...flags.map(flag => FLAGS[flag] as string), ...named.rest] }
}

function sidecarFor (named: Named): Named {
  return named.command === serve ? { ...named, command: sidecar } : named
}

endWithReader(process)
process.exitCode = await runLine(process.argv.slice(2), find, process)
