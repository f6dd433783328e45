import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'
import { canonicalJson, checkProperties, checkStorable, type Properties } from './properties.ts'

/** All conditions of a rule must hold. */
export interface Condition {
  /** Into the event's properties: `plan.name`. */
  readonly path: string
  /** Any JSON. */
  readonly equals: unknown
}

/** An event of Segment of this name that meets the conditions is one use of the feature. */
export interface SegmentRule {
  readonly id: string
  readonly event: string
  readonly conditions: readonly Condition[]
  readonly feature: string
  readonly createdAt: Instant
}

/** What somebody did, as Segment's `track` has it. */
export interface TrackedEvent {
  /** Segment's `messageId`. */
  readonly id: string
  readonly org: string
  readonly event: string
  readonly at: Instant
  readonly properties: Properties
}

export const CONDITIONS_MAX = 20
const EVENT_CHARS_MAX = 255
const PATH_CHARS_MAX = 255

/** The features that an event is a use of, each once. */
export function featuresOf ({ event, properties }: Pick<TrackedEvent, 'event' | 'properties'>, rules: readonly SegmentRule[]): string[] {
  const meets = ({ path, equals }: Condition): boolean => same(valueAt(properties, path), equals)
  const matching = rules.filter(rule => rule.event === event && rule.conditions.every(meets))
  return [...new Set(matching.map(({ feature }) => feature))]
}

function valueAt (properties: Properties, path: string): unknown {
  let value: unknown = properties
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Properties)[name]
  }
  return value
}

function same (a: unknown, b: unknown): boolean {
  return a !== undefined && canonicalJson({ value: a }) === canonicalJson({ value: b })
}

/** @throws TollgateError `invalid_request` */
export function checkRule ({ event, conditions }: Pick<SegmentRule, 'event' | 'conditions'>): void {
  checkName(event, '/event', EVENT_CHARS_MAX)
  for (const [i, { path, equals }] of conditions.entries()) {
    checkName(path, `/conditions/${i}/path`, PATH_CHARS_MAX)
    checkProperties({ equals }, `/conditions/${i}`)
  }
}

/** @throws TollgateError `invalid_request` */
export function checkName (text: string, pointer: string, charsMax = EVENT_CHARS_MAX): string {
  checkStorable(text, pointer)
  if (text !== '' && text.length <= charsMax) return text
  throw new TollgateError('invalid_request', `${pointer.slice(1)} must be 1 to ${charsMax} characters`, { pointer })
}
