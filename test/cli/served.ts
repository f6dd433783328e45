import type { Test } from 'tap'
import { type Api, type ApiOptions, openApi } from '../fixtures/api.ts'
import { type Ran, runCommand } from './tool.ts'

const FREE = { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {} } }
const PRO = { features: { 'feature:calls': { tiers: [{ upto: 1000 }] }, 'feature:bytes': { type: 'metered' }, 'feature:sso': {} } }

/** A service with `plan:free@0` and `plan:pro@1`, and the command that is told where it is. */
export interface Served {
  readonly url: string
  readonly api: Api
  tool (...words: string[]): Promise<Ran>
  /** What it prints with `--json`. */
  json (...words: string[]): Promise<any>
}

/** What a command says that has nothing to say. */
export const SILENT = { code: 0, stdout: '', stderr: '' }

export async function servedTool (t: Test, options: Pick<ApiOptions, 'on'> = {}): Promise<Served> {
  const api = await openApi(t, options)
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 })
  await api.push({ 'plan:free@0': FREE, 'plan:pro@1': PRO })
  const tool: Served['tool'] = async (...words) => await runCommand(words, { TOLLGATE_URL: url })
  return { url, api, tool, json: async (...words) => JSON.parse((await tool(...words, '--json')).stdout) }
}

/** The cells of a table, which are two spaces apart. */
export function cells (text: string): string[][] {
  return text.trimEnd().split('\n').map(row => row.split(/ {2,}/))
}
