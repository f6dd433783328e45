import { TollgateError } from '../errors.ts'

/**
 * Ids as design and Tier's grammar have them: ours are wider (`org:auth0|5f7c`, `feature:api-calls`), and where
 * something is still refused, the message is Tier's, because its users search for that text.
 */
const ORG_PREFIX = 'org:'
const ORG_NAME_MAX = 255
const FEATURE_PREFIX = 'feature:'
const PLAN_PREFIX = 'plan:'
const NAME_MAX = 240
const VERSION_MAX = 240
const EVENT_ID_MAX = 255

/** Printable: no control or format character, no lone surrogate, no line or paragraph separator. */
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u
const EDGE_SPACE = /^\p{Zs}|\p{Zs}$/u
const SPACE_OR_AT = /[\p{Zs}@]/u
const VERSION = /^[A-Za-z0-9._-]+$/
const ENVIRONMENT = /^[a-z][a-z0-9-]{0,62}$/

export interface PlanRef {
  /** `plan:pro` */
  readonly name: string
  readonly version: string
}

/** A plan, or one feature of a plan (Tier's fragment): what a subscription holds. */
export interface Holding {
  readonly plan: PlanRef
  readonly feature: string | null
}

export function parseOrg (text: string, pointer = '/org'): string {
  if (!text.startsWith(ORG_PREFIX)) throw new TollgateError('invalid_request', 'org must be prefixed with "org:"', { pointer })
  const name = text.slice(ORG_PREFIX.length)
  if (name.length > ORG_NAME_MAX || !PRINTABLE.test(name) || EDGE_SPACE.test(name)) {
    throw new TollgateError('invalid_id',
      `org must be "org:" and 1 to ${ORG_NAME_MAX} printable characters without leading or trailing space`, { pointer })
  }
  return text
}

/** What ids of orgs may begin with: `org:ac`. */
export function parseOrgPrefix (text: string, pointer: string): string {
  const name = text.slice(ORG_PREFIX.length)
  if (!text.startsWith(ORG_PREFIX) || name.length > ORG_NAME_MAX || (name !== '' && !PRINTABLE.test(name))) {
    throw new TollgateError('invalid_request', `prefix must be "org:" and up to ${ORG_NAME_MAX} printable characters`, { pointer })
  }
  return text
}

/** `feature:x` without a version, as report, can and usage take it. */
export function parseFeature (text: string, pointer = '/feature'): string {
  if (!text.startsWith(FEATURE_PREFIX)) {
    throw new TollgateError('invalid_request', "feature name must start with 'feature:'", { pointer })
  }
  if (!isName(text.slice(FEATURE_PREFIX.length))) {
    throw new TollgateError('invalid_request',
      `feature name must match [a-zA-Z0-9:]+, or any 1 to ${NAME_MAX} printable characters without "@" or space`, { pointer })
  }
  return text
}

/** `plan:pro@1` */
export function parsePlanRef (text: string, pointer: string): PlanRef {
  if (!text.startsWith(PLAN_PREFIX)) throw noPlanPrefix(pointer)
  const at = text.indexOf('@')
  if (at < 0 || at === text.length - 1) throw new TollgateError('invalid_request', 'plan must have version', { pointer })
  const name = parsePlanName(text.slice(0, at), pointer)
  const version = text.slice(at + 1)
  if (!isVersion(version)) {
    throw new TollgateError('invalid_request', 'plan version must match [a-zA-Z0-9]+, or letters, digits and ". _ -"', { pointer })
  }
  return { name, version }
}

/** `plan:pro`, of all its versions. */
export function parsePlanName (text: string, pointer: string): string {
  if (!text.startsWith(PLAN_PREFIX)) throw noPlanPrefix(pointer)
  if (!isName(text.slice(PLAN_PREFIX.length))) {
    throw new TollgateError('invalid_request',
      `plan name must match [a-zA-Z0-9:]+, or any 1 to ${NAME_MAX} printable characters without "@" or space`, { pointer })
  }
  return text
}

function noPlanPrefix (pointer: string): TollgateError {
  return new TollgateError('invalid_request', "plan name must start with 'plan:'", { pointer })
}

/**
 * What a phase may list: `plan:pro@1`, or `feature:x@plan:pro@1`. Without a feature prefix the plan's messages apply.
 * @throws TollgateError `invalid_request`; `TERR1020` for Tier's `feature:x@0`, whose version is its own: here features come in plans
 */
export function parseHolding (text: string, pointer: string): Holding {
  if (!text.startsWith(FEATURE_PREFIX) || !text.includes('@')) return { plan: parsePlanRef(text, pointer), feature: null }
  const at = text.indexOf('@')
  const feature = text.slice(0, at)
  if (!isName(feature.slice(FEATURE_PREFIX.length))) {
    throw new TollgateError('invalid_request', 'feature plan name must match [a-zA-Z0-9:]+', { pointer })
  }
  const rest = text.slice(at + 1)
  if (rest === '') throw new TollgateError('invalid_request', 'feature plan must have version', { pointer })
  if (isVersion(rest)) throw new TollgateError('TERR1020', 'feature or plan not found', { pointer })
  return { plan: parseFeaturesPlan(rest, pointer), feature }
}

function parseFeaturesPlan (text: string, pointer: string): PlanRef {
  try {
    return parsePlanRef(text, pointer)
  } catch (cause) {
    throw new TollgateError('invalid_request', 'feature plan version must match [a-zA-Z0-9]+ or be a valid plan', { pointer, cause })
  }
}

/** What the event of a committed reservation is called: it has the reservation's id and this. */
export const COMMIT_SUFFIX = '/commit'

/** A reservation's id leaves room for the id of the event that it becomes. */
export function parseReservationId (text: string, pointer = '/id'): string {
  parseEventId(commitId(text), pointer)
  return parseEventId(text, pointer)
}

export function commitId (reservation: string): string {
  return `${reservation}${COMMIT_SUFFIX}`
}

/** What an event or reservation of an org is called in the org that it was merged into, where that has one of the same id. */
export function mergedId (org: string, id: string): string {
  return `${org.slice(ORG_PREFIX.length)}/${id}`
}

/** The same where even that is taken. The event of a committed reservation stays named after it. */
export function mergedIdAgain (org: string, id: string, key: number): string {
  return id.endsWith(COMMIT_SUFFIX)
    ? commitId(mergedIdAgain(org, id.slice(0, -COMMIT_SUFFIX.length), key))
    : `${mergedId(org, id)}/${key}`
}

export function parseEventId (text: string, pointer = '/id'): string {
  if (text.length > EVENT_ID_MAX || !PRINTABLE.test(text)) {
    throw new TollgateError('invalid_id', `id must be 1 to ${EVENT_ID_MAX} printable characters`, { pointer })
  }
  return text
}

/** @throws TollgateError `invalid_id` */
export function parseIdempotencyKey (text: string, pointer = 'idempotency-key'): string {
  if (text.length > EVENT_ID_MAX || !PRINTABLE.test(text)) {
    throw new TollgateError('invalid_id', `Idempotency-Key must be 1 to ${EVENT_ID_MAX} printable characters`, { pointer })
  }
  return text
}

export function isEnvironmentName (text: string): boolean {
  return ENVIRONMENT.test(text)
}

/** @throws TollgateError `invalid_id` */
export function parseEnvironmentName (text: string, pointer: string): string {
  if (isEnvironmentName(text)) return text
  throw new TollgateError('invalid_id',
    'an environment is named by a lower-case letter, then up to 62 lower-case letters, digits or "-"', { pointer })
}

/** At least one character, each of which can be seen, and stored. */
export function isPrintable (text: string): boolean {
  return PRINTABLE.test(text)
}

export function planText (plan: PlanRef): string {
  return `${plan.name}@${plan.version}`
}

export function holdingText (holding: Holding): string {
  const plan = planText(holding.plan)
  return holding.feature === null ? plan : `${holding.feature}@${plan}`
}

function isName (name: string): boolean {
  return name.length <= NAME_MAX && PRINTABLE.test(name) && !SPACE_OR_AT.test(name)
}

function isVersion (version: string): boolean {
  return version.length <= VERSION_MAX && VERSION.test(version)
}
