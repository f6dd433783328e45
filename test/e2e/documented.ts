import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { ROOT } from '../fixtures/root.ts'

const COMMANDS_TIMEOUT_MS = 60_000
const run = promisify(execFile)

/** What a page prints under a name, in a fence that begins "```<language> <name>". */
export function documentedBlock (page: string, language: string, name: string): string {
  const text = readFileSync(new URL(`docs/${page}`, ROOT), 'utf8')
  const [, block] = new RegExp(`^\`\`\`${language} ${name}\\n([^]*?)^\`\`\`$`, 'm').exec(text) ?? []
  if (block === undefined) throw new Error(`docs/${page} has no ${language} named ${name}`)
  return block
}

/** The shell commands that a page prints under a name. */
export function documentedCommands (page: string, name: string): string {
  return documentedBlock(page, 'sh', name)
}

/** Runs them as a reader would who pastes them, and stops at the first that fails. */
export async function runDocumented (page: string, name: string, cwd: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { PATH = '', HOME = '/' } = process.env
  const options = { cwd, env: { PATH, HOME, ...env }, timeout: COMMANDS_TIMEOUT_MS }
  const { stdout } = await run('/bin/sh', ['-euc', documentedCommands(page, name)], options)
  return stdout
}
