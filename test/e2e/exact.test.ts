import t, { type Test } from 'tap'
import { serve } from '../fixtures/process.ts'
import { type Api, apiOf } from './api.ts'
import { emptyLedger } from './embedded.ts'
import { judged } from './exchanges.ts'
import { type LedgerRows, rowsOfFolder, rowsOfPostgres } from './ledger-rows.ts'
import { aggregateOf, FEATURES, MIXED_PLANS } from './mixed-plans.ts'
import { type Exchange, mixedLoad } from './mixed-load.ts'
import { recounted, windowKey } from './model.ts'
import { replicasMissing, twoReplicas } from './replicas.ts'
import { sizeOf } from './sizes.ts'

const [CALLERS, ORGS] = [sizeOf('CALLERS', 200), sizeOf('ORGS', 300, 1_000)]
const [REPORTS, SEED] = [sizeOf('REPORTS', 1_200, 4_000), sizeOf('SEED', Date.now() % 1_000_000)]
/** On many orgs, where the embedded ledger takes longest: they are made by their first report. */
const EMBEDDED_REPORTS = sizeOf('EMBEDDED_REPORTS', 500, 4_000)
const ONE = 'org:one'
/** In small batches, of which there are many: a process that was surprised reads for a while. */
const CALM_CALLERS = 24

/**
 * Many callers on one org, then on many, which are seen here for the first time; then with so little in between that most batches
 * go ahead from what was counted last.
 */
async function load (t: Test, apis: readonly Api[], reportsOnMany: number): Promise<Exchange[]> {
  const [api] = apis as [Api]
  t.match(await api.post('/v1/push', MIXED_PLANS), { status: 200 })
  t.match(await api.post('/v1/subscribe', { org: ONE, phases: [{ features: ['plan:mix@a'] }] }), { status: 200 })
  t.match(await api.put('/v1/environments/test', { defaultPlan: 'plan:mix@b' }), { status: 200 })
  const orgs = Array.from({ length: ORGS }, (_, i) => `org:${i}`)
  const common = { apis, callers: CALLERS, reports: REPORTS, repeatsPerThousand: 180 }
  const onOne = await mixedLoad({ ...common, orgs: [ONE], reportsPerChange: REPORTS / 40, seed: SEED })
  const onMany = await mixedLoad({ ...common, orgs, reports: reportsOnMany, reportsPerChange: 20, seed: SEED + 1 })
  const some = [ONE, ...orgs.slice(0, 4)]
  const calm = { ...common, apis: [api], orgs: some, callers: CALM_CALLERS, reportsPerChange: 500, repeatsPerThousand: 1 }
  const [before, onCalm, after] = [await batchesAhead(api), await mixedLoad({ ...calm, seed: SEED + 2 }), await batchesAhead(api)]
  t.comment(`${after - before} batches went ahead`)
  t.ok(after > before)
  return [...onOne, ...onMany, ...onCalm]
}

async function batchesAhead (api: Api): Promise<number> {
  const { text } = await api.get('/metrics')
  return Number(/^tollgate_ledger_batches_ahead_total (\d+)/m.exec(text)?.[1])
}

interface Shown { readonly feature: string, readonly start: string, readonly used: number }

/** What a process says of the current windows of an org. */
async function shownBy (api: Api, org: string): Promise<Shown[]> {
  const { body } = await api.get('/v1/usage', { org })
  return (body.features ?? []).flatMap(({ feature, current }) => current ? [{ feature: feature as string, ...current }] : [])
}

/** The promise, held against the ledger. */
function check (t: Test, exchanges: readonly Exchange[], rows: LedgerRows, shown: readonly Shown[][]): void {
  const { wrong, ...tally } = judged(exchanges, rows)
  const windows = new Set(rows.events.filter(({ org, feature }) => org === ONE && feature === 'feature:sum').map(windowKey)).size
  t.comment(`seed ${SEED}: ${exchanges.length} reports, ${JSON.stringify(tally)}, ${rows.counters.length} counters, ${windows} windows of one sum`)
  t.strictSame(wrong, [], 'every answer is what the ledger has, new in one answer, and a duplicate in the others')
  const unknown = recounted(rows, ({ feature, limitAfter }) => aggregateOf(feature, Number(limitAfter) / 1e9))
  t.strictSame(unknown, [], 'every figure is the one that an independent count in order of arrival has')
  t.equal(tally.counted, rows.events.length, 'nothing is in the ledger that nobody was told of')
  for (const [name, count] of Object.entries(tally)) t.ok(count > 0, `${name}: ${count}`)
  t.ok(windows > 2, 'windows were cut')
  const counted = new Map(rows.counters.map(counter => [windowKey(counter), Number(counter.used) / 1e9]))
  for (const features of shown) {
    t.strictSame(features.map(({ feature }) => feature), [...FEATURES].sort())
    const inLedger = ({ feature, start }: Shown) => counted.get(windowKey({ org: ONE, feature, windowStart: Date.parse(start) })) ?? 0
    const told = features.map(current => [current.feature, current.used, inLedger(current)])
    t.strictSame(told.filter(([, used, inLedger]) => used !== inLedger), [], 'what is read afterwards is in the counters')
  }
}

t.test('the sums hold under concurrency, embedded', async t => {
  const folder = await emptyLedger(t)
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  const api = apiOf(t, service.url, { sockets: CALLERS })
  const exchanges = await load(t, [api], EMBEDDED_REPORTS)
  const shown = [await shownBy(api, ONE)]
  t.match(await service.kill(), { code: 0 })
  check(t, exchanges, await rowsOfFolder(folder), shown)
})

t.test('the sums hold under concurrency, on two replicas', { skip: replicasMissing }, async t => {
  const { apis, databaseUrl } = await twoReplicas(t, { sockets: CALLERS })
  const exchanges = await load(t, apis, REPORTS)
  const shown = await Promise.all(apis.map(async api => await shownBy(api, ONE)))
  check(t, exchanges, await rowsOfPostgres(databaseUrl), shown)
})
