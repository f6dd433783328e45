import DataLoader from 'dataloader'
import type { FastifyRequest } from 'fastify'
import { amountOf } from '../domain/amount.ts'
import { type Principal, refusal, type Scope } from '../domain/key.ts'
import type { Payments } from '../domain/payment.ts'
import type { Answer } from '../operations/answer.ts'
import { canAll } from '../operations/can.ts'
import { listPlans, readPlan } from '../operations/drafts.ts'
import { labelsOf } from '../operations/features.ts'
import type { Listed } from '../operations/listed.ts'
import { type Present, present } from '../operations/time.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import type { FeatureLabels } from '../storage/features.ts'
import type { Stores } from '../storage/stores.ts'
import { failure } from './failures.ts'

/** Kana's lists have no pages: one that is longer is refused, and is there by pages under `/v1`. */
const LIST_MAX = 10_000
const PAGE = 500
/** Verdicts that one request may ask for, over all its fields. */
const VERDICTS_MAX = 1_000
/** From so many features on, all plans are read once instead of those of each feature. */
const FEATURES_ASKED_ONE_BY_ONE = 3

export interface VerdictQuestion {
  readonly org: string
  readonly feature: string
  /** A whole number. */
  readonly n: number
}

/** Who asks, and what has been read for them: within one request nothing is read twice. */
export interface Caller {
  readonly stores: Stores
  readonly payments: Payments
  readonly environment: string
  /** The address at which the caller reached this service. */
  readonly reachedAt: string
  /** @throws `FORBIDDEN` if the key does not allow it */
  allow (scope: Scope): void
  now (): Promise<Present>
  /** By `plan:pro@1`. @throws TollgateError `not_found` */
  readonly plan: DataLoader<string, CatalogPlan>
  /** By `feature:calls`; undefined: there is none. */
  readonly labels: DataLoader<string, FeatureLabels | undefined>
  /** Of all statuses, by `feature:calls`. */
  readonly plansWith: DataLoader<string, readonly CatalogPlan[]>
  /** Each question once. @throws TollgateError `org_not_found` */
  verdict (question: VerdictQuestion): Promise<Answer>
}

export function callerOf (stores: Stores, payments: Payments, principal: Principal, { protocol, host }: FastifyRequest): Caller {
  const { environment } = principal
  let now: Promise<Present> | undefined
  const verdicts = new DataLoader<VerdictQuestion, Answer, string>(async questions => await verdictsOn(stores, environment, questions), {
    cacheKeyFn: ({ org, feature, n }) => `${n} ${feature} ${org}`
  })
  let asked = 0
  return {
    stores,
    payments,
    environment,
    reachedAt: `${protocol}://${host}`,
    allow: scope => {
      const why = refusal(principal, scope)
      if (why !== undefined) throw failure(why, { code: 'FORBIDDEN' })
    },
    now: async () => await (now ??= Promise.resolve(present(stores, environment))),
    plan: new DataLoader(async texts => await Promise.all(texts.map(async text =>
      await readPlan(stores, environment, text).catch((error: Error) => error)))),
    labels: new DataLoader(async names => {
      const found = await labelsOf(stores, environment, names)
      return names.map(name => found.get(name))
    }),
    plansWith: new DataLoader(async names => await plansWith(stores, environment, names)),
    verdict: async question => {
      asked += 1
      if (asked > VERDICTS_MAX) throw failure(`A query may ask for at most ${VERDICTS_MAX} entitlements.`)
      return await verdicts.load(question)
    }
  }
}

/** Several about one org are one question. */
async function verdictsOn (stores: Stores, environment: string, questions: readonly VerdictQuestion[]): Promise<Array<Answer | Error>> {
  const groups = new Map<string, VerdictQuestion[]>()
  for (const question of questions) {
    const key = `${question.n} ${question.org}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [question])
    else group.push(question)
  }
  const answers = new Map<VerdictQuestion, Answer | Error>()
  await Promise.all([...groups.values()].map(async group => {
    const found = await answersTo(stores, environment, group).catch((error: Error) => error)
    for (const question of group) answers.set(question, found instanceof Error ? found : found.get(question.feature) as Answer)
  }))
  return questions.map(question => answers.get(question) as Answer | Error)
}

/** All have one org and one amount. */
async function answersTo (
  stores: Stores, environment: string, group: readonly VerdictQuestion[]
): Promise<ReadonlyMap<string, Answer>> {
  const [{ org, n }] = group as [VerdictQuestion]
  const question = { environment, org, n: amountOf(n) }
  const answers = await canAll(stores, question, group.map(({ feature }) => feature))
  return new Map(answers.map(answer => [answer.feature, answer]))
}

async function plansWith (stores: Stores, environment: string, names: readonly string[]): Promise<CatalogPlan[][]> {
  const every = async (feature: string | undefined): Promise<CatalogPlan[]> => await all(async cursor =>
    await listPlans(stores, { environment, status: undefined, name: undefined, addon: undefined, feature, cursor, countMax: PAGE }))
  if (names.length <= FEATURES_ASKED_ONE_BY_ONE) return await Promise.all(names.map(every))
  const plans = await every(undefined)
  return names.map(name => plans.filter(({ featureKeys }) => featureKeys.has(name)))
}

/** All pages of a list. @throws `BAD_USER_INPUT` where there are too many items for one answer */
export async function all<Item> (page: (cursor: string | undefined, countMax: number) => Promise<Listed<Item>>): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | undefined
  do {
    const { items: more, nextCursor } = await page(cursor, PAGE)
    items.push(...more)
    if (items.length > LIST_MAX) throw failure(`This list has more than ${LIST_MAX} entries, too many for one answer: /v1 lists them by pages.`)
    cursor = nextCursor ?? undefined
  } while (cursor !== undefined)
  return items
}
