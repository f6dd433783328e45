import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** Requests are short: with more room for what is young, hardly anything of them is moved before it dies. */
const FLAG = '--max-semi-space-size'
const SIZE_MB = 32
/** How far the heap may grow beyond what lived at the last collection; V8 by itself would wait for several times as much. */
const GROWING_PERCENT = 50
/** Names the process that runs this one as itself. */
const PARENT = 'TOLLGATE_PARENT_PID'
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** V8 lays out its heap before our first line runs, and takes no other size from then on: `v8.setFlagsFromString` does nothing. */
export function isYoungGenerationSet ({ NODE_OPTIONS = '' }: NodeJS.ProcessEnv): boolean {
  return [...process.execArgv, ...NODE_OPTIONS.split(/\s+/)].some(flag => flag.startsWith(FLAG))
}

/**
 * Runs this line again with the flag, in a process that stands for this one: it has our input, output and signals, we end as
 * it ends, and it ends should we be killed. Never resolves.
 */
export async function runWithYoungGeneration (env: NodeJS.ProcessEnv): Promise<never> {
  const child = spawn(process.execPath, [...process.execArgv, `${FLAG}=${SIZE_MB}`, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...env, [PARENT]: String(process.pid) }
  })
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal))
  return await new Promise((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
  })
}

/** What lives long is little here, and what dies late, as a batch does, is much: a process stays small (docs/adr/0065). */
export function boundHeap (): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`)
}

/** In that other process: the channel to the first one closes when it dies, by SIGKILL too. */
export function endWithParent (env: NodeJS.ProcessEnv): void {
  if (env[PARENT] === String(process.ppid)) process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
}
