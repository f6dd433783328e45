import type { Amount } from '../domain/amount.ts'
import { parseFeature, parseOrg } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import type { Stores } from '../storage/stores.ts'
import { type Answer, answerOf, answerUnknown, checkAsked } from './answer.ts'
import { isOutage, orgNotFound, orgToAsk } from './org.ts'
import { type Standing, type Standings, standingsOf } from './standing.ts'
import { present } from './time.ts'

/** One of many questions, each about an org of its own. */
export interface Ask {
  readonly org: string
  readonly feature: string
  readonly n: Amount
  /** Of the question within the request, as `/questions/0`. */
  readonly pointer: string
}

/**
 * The same of many orgs and features: one round trip to each store that is needed, however many there are.
 * @param asks an error is a question that could not be understood; it is answered with that
 * @returns in order; an error is that question's alone
 * @throws TollgateError `environment_not_found`; `ledger_unavailable` if the environment is not known here
 */
export async function canEach (
  stores: Stores, environment: string, asks: ReadonlyArray<Ask | TollgateError>
): Promise<Array<Answer | TollgateError>> {
  const at = await present(stores, environment)
  const checked = asks.map(checkedOr)
  const features = new Map<string, Set<string>>()
  for (const ask of checked) {
    if (ask instanceof TollgateError) continue
    const wanted = features.get(ask.org)
    if (wanted === undefined) features.set(ask.org, new Set([ask.feature]))
    else wanted.add(ask.feature)
  }
  const names = [...features.keys()]
  // All orgs first, so that then all counters are asked for at once.
  const orgs = await Promise.all(names.map(async name => await settled(async () => await orgToAsk(stores, at, name))))
  const found = await Promise.all(orgs.map(async (org, i) => org instanceof TollgateError
    ? org
    : await settled(async () => await standingsOf(stores, at, org, () => [...features.get(names[i] as string) ?? []]))))
  const byName = new Map(names.map((name, i) => [name, indexed(found[i] as Standings | TollgateError)]))
  return checked.map(ask => {
    if (ask instanceof TollgateError) return ask
    const { org, feature, n, pointer } = ask
    const known = byName.get(org) as IndexedStandings | TollgateError
    if (!(known instanceof TollgateError)) return answerOf(stores, at, known.found, known.byFeature.get(feature) as Standing, n)
    if (isOutage(known) && at.environment.onOutage.has(feature)) return answerUnknown(stores, at, org, feature)
    return known.code === 'org_not_found' ? orgNotFound(`${pointer}/org`) : known
  })
}

interface IndexedStandings {
  readonly found: Standings
  readonly byFeature: ReadonlyMap<string, Standing>
}

function indexed (found: Standings | TollgateError): IndexedStandings | TollgateError {
  if (found instanceof TollgateError) return found
  return { found, byFeature: new Map(found.standings.map(standing => [standing.feature, standing])) }
}

function checkedOr (ask: Ask | TollgateError): Ask | TollgateError {
  if (ask instanceof TollgateError) return ask
  try {
    parseOrg(ask.org, `${ask.pointer}/org`)
    parseFeature(ask.feature, `${ask.pointer}/feature`)
    checkAsked(ask.n, `${ask.pointer}/n`)
    return ask
  } catch (error) {
    if (error instanceof TollgateError) return error
    throw error
  }
}

async function settled<T> (work: () => Promise<T>): Promise<T | TollgateError> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TollgateError) return error
    throw error
  }
}
