import { BATCH_ITEMS, type Call, FEATURE, type HttpLoad, orgName, type Orgs } from './load.ts'

/** The bytes of every request, made before anything is measured. */
export interface Request {
  readonly bytes: Buffer
  /** Questions or reports in it. */
  readonly items: number
  /** Units that it counts. */
  readonly counts: number
  readonly isRight: (body: string) => boolean
}

/** Different bodies of batches; each has every second org of a thousand, in an order of its own. */
const BATCHES = 16
/** Each connection asks for so many orgs, by every call. Beyond, each org has one call, and one connection. */
const ORGS_FOR_EACH_MAX = 10_000

interface Answer { ok?: unknown, org?: unknown, feature?: unknown, used?: unknown, duplicate?: unknown }

const MAKERS: Readonly<Record<Call, (orgs: readonly string[]) => Request[]>> = {
  can: orgs => orgs.map(org => ({
    bytes: head(`GET /v1/can?org=${encodeURIComponent(org)}&feature=${encodeURIComponent(FEATURE)}`),
    items: 1,
    counts: 0,
    isRight: body => isCounted(org, body, ({ ok }) => ok === true)
  })),
  report: orgs => orgs.map(org => ({
    bytes: post('/v1/report', { org, feature: FEATURE, n: 1 }),
    items: 1,
    counts: 1,
    isRight: body => isCounted(org, body, ({ duplicate }) => duplicate === false)
  })),
  consume: orgs => orgs.map(org => ({
    bytes: post('/v1/consume', { org, feature: FEATURE, n: 1 }),
    items: 1,
    counts: 1,
    isRight: body => isCounted(org, body, ({ ok, duplicate }) => ok === true && duplicate === false)
  })),
  batch: orgs => Array.from({ length: BATCHES }, (_, seed) => {
    const chosen = shuffled(orgs, seed + 1).slice(0, BATCH_ITEMS)
    if (chosen.length < BATCH_ITEMS) throw new Error(`a batch takes ${BATCH_ITEMS} orgs`)
    return {
      bytes: post('/v1/reports', { reports: chosen.map(org => ({ org, feature: FEATURE, n: 1 })) }),
      items: BATCH_ITEMS,
      counts: BATCH_ITEMS,
      isRight: body => isBatch(chosen, body)
    }
  }),
  canUseFeature: orgs => orgs.map(org => ({
    bytes: post('/graphql', { query: CAN_USE_FEATURE, variables: { userId: userOf(org), featureId: FEATURE_ID } }),
    items: 1,
    counts: 0,
    isRight: body => dataOf(body).canUseFeature?.access === true
  })),
  recordUsage: orgs => orgs.map(org => ({
    bytes: post('/graphql', { query: RECORD_USAGE, variables: { input: { userId: userOf(org), featureId: FEATURE_ID, delta: 1 } } }),
    items: 1,
    counts: 1,
    isRight: body => dataOf(body).recordUsage?.recorded === true
  }))
}

const FEATURE_ID = FEATURE.replace('feature:', '')
const CAN_USE_FEATURE = `query ($userId: String!, $featureId: String!) {
  canUseFeature(userId: $userId, featureId: $featureId) { access reason consumption { used budget overageEnabled } }
}`
const RECORD_USAGE = 'mutation ($input: CreateUsageEventInput!) { recordUsage(input: $input) { recorded reason } }'

/** For each connection, its requests in an order of its own, to be repeated: they do not walk in step. */
export function ordersOf ({ calls, orgs, connections }: HttpLoad): Request[][] {
  const names = namesOf(orgs)
  if (orgs.count <= ORGS_FOR_EACH_MAX) {
    const requests = calls.flatMap(call => MAKERS[call](names))
    return Array.from({ length: connections }, (_, i) => shuffled(requests, i + 1))
  }
  const requests = shuffled(calls.flatMap((call, turn) => MAKERS[call](names.filter((_name, i) => i % calls.length === turn))), 1)
  return Array.from({ length: connections }, (_, i) => requests.filter((_request, at) => at % connections === i))
}

function namesOf (orgs: Orgs): string[] {
  return Array.from({ length: orgs.count }, (_, i) => orgName(orgs, i))
}

function userOf (org: string): string {
  return org.replace('org:', '')
}

function head (line: string, rest = ''): Buffer {
  return Buffer.from(`${line} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: keep-alive\r\n${rest}\r\n`)
}

function post (path: string, content: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(content))
  return Buffer.concat([head(`POST ${path}`, `content-type: application/json\r\ncontent-length: ${body.length}\r\n`), body])
}

function isCounted (org: string, body: string, isMeant: (answer: Answer) => boolean): boolean {
  const answer = JSON.parse(body) as Answer
  return answer.org === org && answer.feature === FEATURE && typeof answer.used === 'number' && answer.used >= 1 && isMeant(answer)
}

function isBatch (orgs: readonly string[], body: string): boolean {
  const { results } = JSON.parse(body) as { results: Array<{ result?: unknown, org?: unknown }> }
  return results.length === orgs.length && results.every(({ result, org }, i) => result === 'counted' && org === orgs[i])
}

function dataOf (body: string): { canUseFeature?: { access: unknown }, recordUsage?: { recorded: unknown } } {
  const { data, errors } = JSON.parse(body) as { data: object | null, errors?: unknown }
  return errors === undefined && data !== null ? data : {}
}

/** The same items in an order of their own for each seed. */
function shuffled<Item> (items: readonly Item[], seed: number): Item[] {
  const order = [...items]
  let state = seed
  for (let i = order.length - 1; i > 0; i -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const j = Math.floor(state / 2 ** 32 * (i + 1));
    [order[i], order[j]] = [order[j] as Item, order[i] as Item]
  }
  return order
}
