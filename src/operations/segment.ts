import { type Amount, amountOf, parseAmount } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import { parseEventId, parseFeature, parseOrg } from '../domain/ids.ts'
import { checkProperties } from '../domain/properties.ts'
import { checkName, featuresOf, type SegmentRule, type TrackedEvent } from '../domain/segment.ts'
import { AHEAD_MAX_MS } from '../domain/time.ts'
import { type ErrorCode, errors, TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { OrgProfile } from '../storage/org-list.ts'
import type { Stores } from '../storage/stores.ts'
import { mergeOrgs } from './org-merge.ts'
import { changeProfile, createOrg } from './profiles.ts'
import { report } from './report.ts'
import { present } from './time.ts'

/** What an `identify` says of somebody. */
export interface Traits {
  readonly name?: string
  readonly email?: string
  readonly billingId?: string
}

/** What became of an `identify`; `flagged`: it may be somebody who is there already, under another id. */
export interface Identified {
  readonly org: string
  readonly created: boolean
  readonly merged: boolean
  readonly flagged: boolean
}

/** Enough to tell one from several. */
const SAME_EMAIL_MAX = 3
/** Segment sends what somebody's first page says in several calls at once, and drops what is refused. */
const IDENTIFY_ATTEMPTS_MAX = 4
/** What is answered if somebody else was faster: made, renamed or merged who is meant. */
const OVERTAKEN: ReadonlySet<ErrorCode> = new Set(['org_conflict', 'org_not_found', 'not_found'])

/**
 * The id decides who it is. Whom the payment provider made known, under their e-mail as id, may turn out to be them: by the only one with
 * that e-mail their id is taken, or what they have is given to the one of that id who had no e-mail yet.
 * @throws TollgateError `invalid_id`, `invalid_email`, `invalid_request`
 */
export async function identify (stores: Stores, environment: string, text: string, traits: Traits): Promise<Identified> {
  const org = parseOrg(text, '/userId')
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await identifyOnce(stores, environment, org, traits)
    } catch (error) {
      if (attempt === IDENTIFY_ATTEMPTS_MAX || !(error instanceof TollgateError && OVERTAKEN.has(error.code))) throw error
    }
  }
}

async function identifyOnce (stores: Stores, environment: string, org: string, traits: Traits): Promise<Identified> {
  const { email } = traits
  const known = await available(stores.orgs.load(environment, org))
  const same = email ? await available(stores.orgList.byEmail(environment, email, SAME_EMAIL_MAX)) : []
  const others = same.filter(({ name }) => name !== known?.name)
  const [only] = others
  if (known !== undefined) {
    const info = await available(stores.subscriptions.info(known))
    const provided = others.find(fromProvider)
    const merged = info.email === undefined && provided !== undefined
    if (merged) await mergeOrgs(stores, environment, org, provided.name)
    await changeProfile(stores, environment, org, traits)
    return { org: known.name, created: false, merged, flagged: false }
  }
  if (only !== undefined && others.length === 1 && fromProvider(only)) {
    await changeProfile(stores, environment, only.name, traits, org)
    return { org, created: false, merged: false, flagged: false }
  }
  await createOrg(stores, environment, org, traits)
  return { org, created: true, merged: false, flagged: others.length > 0 }
}

/** Who came from a payment provider has their e-mail as id until they are known by another. */
function fromProvider ({ name, info: { email, billingId } }: OrgProfile): boolean {
  return typeof email === 'string' && typeof billingId === 'string' && name.toLowerCase() === `org:${email.toLowerCase()}`
}

/** Something that somebody did. */
export interface Tracked extends Omit<TrackedEvent, 'org' | 'at'> {
  readonly userId: string
  /** null: now; what a clock that is ahead of ours says is now, too. */
  readonly at: Instant | null
  /** As the event itself says it; undefined: rules do. */
  readonly feature: string | undefined
  readonly delta: number | string | null | undefined
}

export interface Mapped {
  /** What it was counted for; none: it waits for a rule. */
  readonly features: readonly string[]
  /** All of it was counted before. */
  readonly duplicate: boolean
}

/**
 * Counts an event for the feature that it names, else for those that rules say; else it waits for a rule.
 * @throws TollgateError for what is not well formed, and what `report` throws
 */
export async function track (stores: Stores, environment: string, { userId, feature, delta, ...sent }: Tracked): Promise<Mapped> {
  const org = parseOrg(userId, '/userId')
  const { now } = await present(stores, environment)
  const at = sent.at === null || sent.at > now + AHEAD_MAX_MS ? now : sent.at
  const event = { ...sent, at, org, id: parseEventId(sent.id, '/messageId'), event: checkName(sent.event, '/event') }
  if (feature !== undefined) {
    const n = delta === undefined ? amountOf(1) : delta === null ? 0n : parseAmount(delta, '/properties/delta')
    return { features: [feature], duplicate: await count(stores, environment, event, parseFeature(feature, '/properties/featureId'), n) }
  }
  checkProperties(event.properties)
  const features = featuresOf(event, await available(stores.segment.rulesFor(environment, event.event)))
  if (features.length > 0) return { features, duplicate: await countAll(stores, environment, event, features) }
  await available(stores.segment.keep(environment, event))
  return { features: [], duplicate: false }
}

/**
 * Counts an event that waited, if there are rules for it now.
 * @returns does it wait no longer? What cannot be counted, because its org is unknown or does not hold the feature, waits on
 */
export async function mapWaiting (
  stores: Stores, environment: string, event: TrackedEvent, rules: readonly SegmentRule[]
): Promise<boolean> {
  const features = featuresOf(event, rules)
  if (features.length === 0) return false
  try {
    await countAll(stores, environment, event, features)
  } catch (error) {
    if (error instanceof TollgateError && errors[error.code].status < 500) return false
    throw error
  }
  await available(stores.segment.drop(environment, event.id))
  return true
}

/** @throws what one of them is refused for, after all others were counted */
async function countAll (stores: Stores, environment: string, event: TrackedEvent, features: readonly string[]): Promise<boolean> {
  let duplicate = true
  let refused: TollgateError | undefined
  for (const feature of features) {
    try {
      duplicate = await count(stores, environment, event, feature, amountOf(1)) && duplicate
    } catch (error) {
      if (!(error instanceof TollgateError) || errors[error.code].status >= 500) throw error
      refused ??= error
    }
  }
  if (refused !== undefined) throw refused
  return duplicate
}

/** Under an id of its own for each feature: however often it is sent or mapped, it counts once. */
async function count (stores: Stores, environment: string, { id, org, at }: TrackedEvent, feature: string, n: Amount): Promise<boolean> {
  try {
    const { duplicate } = await report(stores, {
      environment, org, feature, n, at, clobber: false, id: `segment/${id}/${feature}`, idPointer: '/messageId', properties: undefined
    })
    return duplicate
  } catch (error) {
    // The same message, at what was now then.
    if (error instanceof TollgateError && error.code === 'event_conflict') return true
    throw error
  }
}
