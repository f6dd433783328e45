import type { Test } from 'tap'
import type { Service } from '../fixtures/process.ts'
import { until } from '../storage/until.ts'
import type { Api } from './api.ts'
import { inParallel } from './callers.ts'
import type { LedgerRows } from './ledger-rows.ts'

export interface Crash {
  readonly api: Api
  readonly service: Service
  readonly org: string
  readonly feature: string
  readonly callers: number
  /** How many reports are acknowledged before the process is killed. */
  readonly after: number
}

export interface Crashed {
  readonly acknowledged: readonly string[]
  /** Of all that were sent. */
  readonly ids: readonly string[]
}

/** Kills the process while callers report, each with ids of its own and as fast as it can. */
export async function crash ({ api, service, org, feature, callers, after }: Crash): Promise<Crashed> {
  const acknowledged: string[] = []
  const ids: string[] = []
  const load = inParallel(callers, async caller => {
    for (let n = 0; ; n += 1) {
      const id = `${caller}-${n}`
      ids.push(id)
      const answer = await api.post('/v1/report', { org, feature, id }).catch(() => undefined)
      if (answer === undefined) return
      if (answer.status !== 200) throw new Error(answer.text)
      acknowledged.push(id)
    }
  })
  await until('there is load', () => acknowledged.length > after, 20_000)
  await service.kill('SIGKILL')
  await load
  return { acknowledged, ids }
}

export interface SentAgain {
  /** What had been counted before. */
  readonly found: readonly string[]
  readonly countedNow: readonly string[]
}

/** Sends every id again, to the process that took over. */
export async function sendAgain (api: Api, { org, feature }: Pick<Crash, 'org' | 'feature'>, ids: readonly string[]): Promise<SentAgain> {
  const answers = await Promise.all(ids.map(async id => {
    const { status, text, body: { duplicate } } = await api.post('/v1/report', { org, feature, id })
    if (status !== 200) throw new Error(`${id} was answered ${text}`)
    return { id, duplicate }
  }))
  const idsWhere = (duplicate: boolean) => answers.filter(answer => answer.duplicate === duplicate).map(({ id }) => id)
  return { found: idsWhere(true), countedNow: idsWhere(false) }
}

/** @param rows of the org, after the retries */
export function checkCrash (t: Test, { acknowledged, ids }: Crashed, { found, countedNow }: SentAgain, rows: LedgerRows): void {
  t.comment(`${ids.length} sent, ${acknowledged.length} acknowledged, ${found.length} were counted, ${countedNow.length} when sent again`)
  const [before, inLedger] = [new Set(found), rows.events.map(({ id }) => id)]
  t.strictSame(acknowledged.filter(id => !before.has(id)), [], 'what was acknowledged was in the ledger')
  t.strictSame(inLedger.toSorted(), ids.toSorted(), 'after the retries each is there exactly once')
  t.equal(rows.counters.reduce((sum, { used }) => sum + used, 0n), BigInt(ids.length) * 10n ** 9n, 'and counted once')
}
