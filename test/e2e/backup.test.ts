import { Redis } from 'ioredis'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'
import { serve } from '../fixtures/process.ts'
import { findProgram } from '../fixtures/programs.ts'
import { privateRedis, redisProgramMissing } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'
import { type Api, apiOf } from './api.ts'
import { inBackground } from './callers.ts'
import { sendAgain } from './crash.ts'
import { runDocumented } from './documented.ts'
import { emptyLedger, folderOf } from './embedded.ts'
import { type EventRow, type LedgerRows, rowsOfFolder, rowsOfPostgres } from './ledger-rows.ts'
import { mirrorIs } from './replicas.ts'
import { sizeOf } from './sizes.ts'

const PAGE = 'operations.md'
const CALLERS = sizeOf('BACKUP_CALLERS', 20)
const EVENTS_BEFORE = sizeOf('BACKUP_AFTER', 300, 1_000)
const ORGS = Array.from({ length: 8 }, (_, n) => `org:backup-${n}`)
/** Every so many reports, a caller brings a new org. */
const NEWCOMER_EVERY = 20
/** Long enough to ask while an entry is young, however busy the machine. */
const AGE_MAX_MS = 3_000
const MARGIN_MS = 500
const FEATURE = 'feature:calls'
const PLANS = { plans: { 'plan:free@0': { features: { [FEATURE]: { tiers: [{ upto: 1e9 }] } } } } }

const toolsMissing = findProgram('pg_dump') === undefined && 'no pg_dump found; apt-get install postgresql-client'
const SKIP = { skip: postgresMissing || redisProgramMissing || toolsMissing }

async function subscribe (api: Api, org: string): Promise<void> {
  const { status, text } = await api.post('/v1/subscribe', { org, phases: [{ features: ['plan:free@0'] }] })
  if (status !== 200) throw new Error(text)
}

async function report (api: Api, org: string, id: string): Promise<number> {
  const { status, text, body: { used } } = await api.post('/v1/report', { org, feature: FEATURE, id })
  if (status !== 200 || used === undefined) throw new Error(text)
  return used
}

async function usedBy (api: Api, org: string): Promise<number | undefined> {
  return (await api.get('/v1/can', { org, feature: FEATURE })).body.used
}

/** Callers that report, and bring new orgs along, until they are stopped. */
function loadOn (api: Api) {
  const sent: string[] = []
  const acknowledged: string[] = []
  const load = inBackground(CALLERS, async (caller, n) => {
    const id = `${caller}-${n}`
    const newcomer = n % NEWCOMER_EVERY === 0
    const org = newcomer ? `org:new-${id}` : ORGS[(caller + n) % ORGS.length] as string
    if (newcomer) await subscribe(api, org)
    sent.push(id)
    await report(api, org, id)
    acknowledged.push(id)
  })
  return { ...load, sent: sent as readonly string[], acknowledged: acknowledged as readonly string[] }
}

/** Rows whose org, feature or plan is not there, and the transactions that wrote the events. */
async function facts (url: string): Promise<{ dangling: number, transactions: Map<string, string> }> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const [row] = await sql`select
      (select count(*) from events where org not in (select id from orgs) or feature not in (select id from features)) +
      (select count(*) from orgs o where not exists (select from subscriptions where org = o.id)) as dangling`
    const written = await sql`select id, xmin::text as transaction from events`
    return { dangling: Number(row?.dangling), transactions: new Map(written.map(({ id, transaction }) => [id, transaction])) }
  } finally {
    await sql.end()
  }
}

async function tamper (url: string, org: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`update counters set used = used + 1 where org = (select id from orgs where name = ${org})`
  await sql.end()
}

async function keysOf (url: string): Promise<number> {
  const redis = new Redis(url)
  const keys = await redis.keys('tollgate:*')
  redis.disconnect()
  return keys.length
}

function byOrg (events: readonly EventRow[]): Map<string, EventRow[]> {
  const orgs = new Map<string, EventRow[]>()
  for (const event of events) orgs.set(event.org, [...orgs.get(event.org) ?? [], event])
  return orgs
}

/** Each counter is the fold of its events, and there is no other. */
function checkFold (t: Test, { events, counters }: LedgerRows): void {
  const folds = [...byOrg(events)].map(([org, own]) => ({
    org, used: own.reduce((sum, { delta }) => sum + delta, 0n), version: own.length, last: own.at(-1)?.usedAfter
  }))
  const kept = counters.map(({ org, used, version }) => ({ org, used, version, last: used }))
  const sorted = (rows: typeof folds | typeof kept) => rows.toSorted((a, b) => a.org < b.org ? -1 : 1)
  t.strictSame(sorted(kept), sorted(folds), 'every counter is the fold of its events')
}

interface Moment {
  /** Acknowledged before the dump began. */
  readonly before: readonly string[]
  /** Sent before the dump had ended. */
  readonly until: readonly string[]
}

/** A state that the ledger had at one moment while the dump ran. */
function checkMoment (t: Test, restored: LedgerRows, whole: LedgerRows, transactions: ReadonlyMap<string, string>, moment: Moment): void {
  const kept = new Set(restored.events.map(({ id }) => id))
  const started = new Set(moment.until)
  t.strictSame(moment.before.filter(id => !kept.has(id)), [], 'what was acknowledged before the dump is in it')
  t.strictSame([...kept].filter(id => !started.has(id)), [], 'what was sent after it is not')
  const prefixes = byOrg(restored.events)
  for (const [org, events] of byOrg(whole.events)) {
    const own = prefixes.get(org) ?? []
    t.strictSame(own, events.slice(0, own.length), `the first events of ${org}, in the order of arrival`)
  }
  const [inside, outside] = [new Set<string>(), new Set<string>()]
  for (const [id, transaction] of transactions) (kept.has(id) ? inside : outside).add(transaction)
  t.strictSame([...inside].filter(transaction => outside.has(transaction)), [], 'every batch is there whole, or not at all')
  checkFold(t, restored)
}

t.test('a dump that is taken under load restores the ledger of one moment', SKIP, async t => {
  const [databaseUrl, redis] = [await freshLedger(t), await privateRedis(t)]
  const settings = { REDIS_URL: redis.url, MIRROR_MAX_AGE_MS: `${AGE_MAX_MS}` }
  const first = apiOf(t, (await serve(t, { env: { ...settings, DATABASE_URL: databaseUrl } })).url, { sockets: CALLERS + 5 })
  await mirrorIs('ok', [first])
  await first.post('/v1/push', PLANS)
  for (const org of ORGS) await subscribe(first, org)
  const folder = folderOf(t)
  const load = loadOn(first)
  await until('there is load', () => load.acknowledged.length > EVENTS_BEFORE, 30_000)
  const before = [...load.acknowledged]
  await runDocumented(PAGE, 'backup', folder, { DATABASE_URL: databaseUrl })
  const moment = { before, until: [...load.sent] }
  const during = load.acknowledged.length - before.length
  await load.stop()

  const restoredUrl = await freshDatabase(t)
  await runDocumented(PAGE, 'restore', folder, { RESTORED_URL: restoredUrl })
  await runDocumented(PAGE, 'restore-new-id', folder, { RESTORED_URL: restoredUrl })
  const [whole, restored] = [await rowsOfPostgres(databaseUrl), await rowsOfPostgres(restoredUrl)]
  t.comment(`${before.length} reports before the dump, ${during} while it ran; ${restored.events.length} of ${whole.events.length} restored`)
  t.ok(during > 0, 'reports arrived while it ran')
  const { dangling, transactions } = await facts(databaseUrl)
  t.equal(dangling, 0)
  t.equal((await facts(restoredUrl)).dangling, 0, 'every org, feature and subscription of it is there')
  checkMoment(t, restored, whole, transactions, moment)

  const org = ORGS[0] as string
  const lost = await report(first, org, 'after-the-dump')
  const ownOf = (rows: LedgerRows) => rows.events.filter(row => row.org === org)

  await t.test('what was in the mirror is believed for its age at most, where the ledger has kept its id', async t => {
    const copyUrl = await freshDatabase(t)
    await runDocumented(PAGE, 'restore', folder, { RESTORED_URL: copyUrl })
    const second = apiOf(t, (await serve(t, { env: { ...settings, DATABASE_URL: copyUrl } })).url)
    await mirrorIs('ok', [second])
    const latest = await report(first, org, 'while-both-run')
    const publishedAt = performance.now()
    t.equal(await usedBy(second, org), latest, 'a figure of the time that was lost')
    const right = ownOf(restored).length
    t.equal(await report(second, org, 'of-the-restored'), right + 1, 'a report is judged by the ledger')
    await until('can is right', async () => await usedBy(second, org) === right + 1, AGE_MAX_MS + MARGIN_MS)
    t.comment(`can was right ${Math.round(performance.now() - publishedAt)} ms after the last publication of the other ledger`)
    for (let used = right + 2; used < right + 12; used += 1) {
      t.equal(await report(second, org, `of-the-restored-${used}`), used)
      t.equal(await usedBy(second, org), used, 'and stays right')
    }
  })

  await t.test('a service on it says what the ledger said at that moment, at once, and resent reports complete it', async t => {
    t.equal(await report(first, org, 'just-before'), lost + 2, 'the mirror has young figures of the lost time')
    const second = apiOf(t, (await serve(t, { env: { ...settings, DATABASE_URL: restoredUrl } })).url, { sockets: CALLERS })
    await mirrorIs('ok', [second])
    for (const [name, events] of byOrg(restored.events)) {
      t.equal(await usedBy(second, name), events.length)
      t.match(await second.get('/v1/usage', { org: name, feature: FEATURE }), { status: 200, body: { current: { used: events.length } } })
    }
    const ids = ownOf(whole).map(({ id }) => id)
    const { found, countedNow } = await sendAgain(second, { org, feature: FEATURE }, ids)
    t.strictSame(found.toSorted(), ownOf(restored).map(({ id }) => id).toSorted(), 'what was in the dump is a duplicate')
    t.equal(found.length + countedNow.length, ids.length)
    t.equal(await usedBy(second, org), ids.length, 'and the rest is counted once')

    const env = { DATABASE_URL: restoredUrl, ORG: org, FEATURE }
    t.equal(await runDocumented(PAGE, 'audit', folder, env), '', 'every counter is the sum of its events')
    await tamper(restoredUrl, org)
    t.match(await runDocumented(PAGE, 'audit', folder, env), new RegExp(`^${org}\\|${FEATURE}\\|[^\\n]*\\n$`), 'or is named')
    await runDocumented(PAGE, 'repair', folder, env)
    t.equal(await report(second, org, 'after-the-repair'), ids.length + 1, 'and is added up anew')
    t.equal(await runDocumented(PAGE, 'audit', folder, env), '')

    t.match(await runDocumented(PAGE, 'locks', folder, env), /counters/)
    const entries = async () => await keysOf(redis.url)
    t.not(await entries(), 0)
    await runDocumented(PAGE, 'forget', folder, { REDIS_URL: redis.url })
    t.equal(await entries(), 0, 'nothing of ours is left in Redis')
    t.equal(await usedBy(second, org), ids.length + 1, 'and nothing changes')
  })
})

t.test('a stopped process leaves a folder that can be copied: the copy has every event and every figure', async t => {
  const [folder, backups, restored] = [await emptyLedger(t), folderOf(t), folderOf(t)]
  const env = { TOLLGATE_DATA_DIR: folder }
  const service = await serve(t, { env })
  const api = apiOf(t, service.url)
  await api.post('/v1/push', PLANS)
  for (const org of ORGS) await subscribe(api, org)
  const load = loadOn(api)
  await until('there is load', () => load.acknowledged.length > EVENTS_BEFORE / 5, 30_000)
  await load.stop()
  t.match(await service.kill('SIGTERM'), { code: 0 })
  await runDocumented(PAGE, 'backup-embedded', backups, env)
  const again = await serve(t, { env })
  await report(apiOf(t, again.url), ORGS[0] as string, 'after-the-copy')
  t.match(await again.kill('SIGTERM'), { code: 0 })

  await runDocumented(PAGE, 'restore-embedded', backups, { RESTORED_DIR: restored })
  const copy = await rowsOfFolder(restored)
  t.strictSame(copy.events.map(({ id }) => id).toSorted(), load.acknowledged.toSorted())
  checkFold(t, copy)
  const second = apiOf(t, (await serve(t, { env: { TOLLGATE_DATA_DIR: restored } })).url)
  for (const [name, events] of byOrg(copy.events)) t.equal(await usedBy(second, name), events.length)
})
