import { spawn } from 'node:child_process'
import { Writable } from 'node:stream'
import { commandAt } from '../../src/cli/commands.ts'
import { runLine } from '../../src/cli/run.ts'
import { type Exit, exitOf } from '../fixtures/child.ts'
import { guardUntil, type Scope } from '../fixtures/guard.ts'
import { FOR_SHORT_LIVES, nodeArguments } from '../fixtures/node.ts'

export interface Ran extends Exit {
  readonly stdout: string
  readonly stderr: string
}

export interface Tool {
  readonly pid: number
  readonly stdin: Writable
  stdout (): string
  stderr (): string
  readonly ended: Promise<Ran>
  kill (signal: NodeJS.Signals): Promise<Ran>
}

export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Absent: `tollgate`. */
  readonly command?: readonly string[]
}

export const TOLLGATE = ourCommand('src/cli/tollgate.ts')
export const TIER = ourCommand('src/cli/tier.ts')

/** @param path from the root of the project */
export function ourCommand (path: string): string[] {
  return [process.execPath, ...FOR_SHORT_LIVES, ...nodeArguments(path)]
}

/** Such a command as a program of one word. */
export function scriptText (command: readonly string[], first = ''): string {
  return `#!/bin/sh\n${first}\nexec ${command.map(word => `'${word}'`).join(' ')} "$@"\n`
}

/** A program as its users run it: a process of its own, with the given settings and no others. */
export function startTool (t: Scope, args: readonly string[], { env = {}, cwd, command = TOLLGATE }: ToolOptions = {}): Tool {
  const variables = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...env }
  const given = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  // By way of env, because tap adds NODE_OPTIONS of its own.
  const child = spawn('/usr/bin/env', ['-i', ...given, ...command, ...args], { cwd, stdio: 'pipe' })
  // A tool that ended does not read on.
  child.stdin.on('error', () => {})
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (chunk: string) => { output[name] += chunk })
  const ended = exitOf(child).then(exit => ({ ...exit, ...output }))
  if (child.pid !== undefined) guardUntil(child.pid, ended)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    pid: child.pid as number,
    stdin: child.stdin,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    ended,
    kill: async signal => {
      child.kill(signal)
      return await ended
    }
  }
}

export interface RunOptions extends ToolOptions {
  /** What it finds on stdin. */
  readonly input?: string | Buffer
}

/** Runs it to its end. */
export async function runTool (t: Scope, args: readonly string[], { input = '', ...options }: RunOptions = {}): Promise<Ran> {
  const tool = startTool(t, args, options)
  tool.stdin.end(input)
  return await tool.ended
}

/**
 * Runs a line of `tollgate` to its end in this process: for many lines, since a start takes longer than most of them. Not for one that
 * reads stdin, or listens to signals.
 */
export async function runCommand (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const output = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof output) => new Writable({
    decodeStrings: false,
    write: (text, _encoding, done) => {
      output[name] += text
      done()
    }
  })
  const code = await runLine(words, commandAt, { env, stdout: stream('stdout'), stderr: stream('stderr') })
  return { code, signal: null, ...output }
}
