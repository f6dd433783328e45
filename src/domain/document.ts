import { type FieldProblem, TollgateError } from '../errors.ts'

const problemsMax = 100
/** Control characters (NUL among them) and lone surrogates, which Postgres refuses; joiners, as emoji have them, may stay. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

/**
 * One object of a JSON document that a person wrote, read member by member; whatever is wrong with it is collected.
 * As in Go, on whose zero values Tier's documents rely, a member that is null is absent, and so is an empty text.
 */
export interface Cursor {
  readonly members: Readonly<Record<string, unknown>>
  /** As Tier names the place: `plans["plan:x@0"].features["feature:y"]`. */
  readonly text: string
  /** The same as RFC 6901 has it: `/plans/plan:x@0/features/feature:y`. */
  readonly pointer: string
  /** What makes the document malformed. */
  readonly problems: FieldProblem[]
  /** What makes a part of it impossible though it is well formed. */
  readonly refusals: string[]
}

/** @throws TollgateError `invalid_request` with up to 100 problems, the first one's text as its message */
export function readDocument<T> (document: unknown, known: readonly string[], read: (top: Cursor) => T): T {
  if (!isObject(document)) throw new TollgateError('invalid_request', 'the document must be an object', { pointer: '' })
  const problems: FieldProblem[] = []
  const result = read(open({ members: {}, text: '', pointer: '', problems, refusals: [] }, document, known))
  if (problems[0] !== undefined) throw new TollgateError('invalid_request', problems[0].detail, { problems })
  return result
}

/** Adds a problem of one member, in Tier's manner: the place, a colon, what is wrong. */
export function report (at: Cursor, member: string, detail: string): void {
  add(at, `${at.pointer}/${escaped(member)}`, at.text === '' ? detail : `${at.text}: ${detail}`)
}

/** The object that is a member; without `known` it is a map, whose keys are data. */
export function child (at: Cursor, member: string, known?: readonly string[]): Cursor {
  return open(place(at, at.text === '' ? member : `${at.text}.${member}`, member), at.members[member], known)
}

/** What a map holds, at most `max`, each as an object; keys that `parse` refuses are left out. */
export function readMap<K, T> (
  map: Cursor, max: number, parse: (key: string, pointer: string) => K, known: readonly string[], read: (at: Cursor, key: K) => T
): T[] {
  const keys = Object.keys(map.members)
  if (keys.length > max) add(map, map.pointer, `${map.text}: there must be at most ${max}`)
  return keys.slice(0, max).flatMap(key => {
    const at = place({ ...map, refusals: [] }, `${map.text}[${JSON.stringify(key)}]`, key)
    const parsed = readKey(at, key, parse)
    if (parsed === null) return []
    const item = read(open(at, map.members[key], known), parsed)
    map.refusals.push(...at.refusals)
    return [item]
  })
}

/** The objects of an array, at most `max`. */
export function readList<T> (
  at: Cursor, member: string, max: number, known: readonly string[], read: (at: Cursor, last: boolean) => T
): T[] {
  const value = at.members[member] ?? []
  if (!Array.isArray(value)) report(at, member, `${member} must be an array`)
  if (!Array.isArray(value)) return []
  if (value.length > max) report(at, member, `${member}: there must be at most ${max}`)
  const list = place(at, `${at.text}.${member}`, member)
  return value.slice(0, max).map((item: unknown, i) =>
    read(open(place(list, `${list.text}[${i}]`, String(i)), item, known), i === value.length - 1))
}

export function isGiven (at: Cursor, member: string): boolean {
  return (at.members[member] ?? '') !== ''
}

/** Without control characters and lone surrogates, at most `max` UTF-16 units; the default may be longer. */
export function readTitle (at: Cursor, max: number, standard: string): string {
  const title = readString(at, 'title')
  if (title === '' || title === standard) return standard
  if (title.length > max || UNPRINTABLE.test(title)) report(at, 'title', `title must be at most ${max} printable characters`)
  return title
}

export function readString (at: Cursor, member: string): string {
  const value = at.members[member] ?? ''
  if (typeof value === 'string') return value
  report(at, member, `${member} must be a string`)
  return ''
}

export function readFlag (at: Cursor, member: string): boolean {
  const value = at.members[member] ?? false
  if (typeof value === 'boolean') return value
  report(at, member, `${member} must be true or false`)
  return false
}

/** One of a few words; any other is a problem. */
export function choose<T extends string> (at: Cursor, member: string, words: readonly T[], standard: T): T {
  const value = readString(at, member)
  const word = words.find(word => word === value)
  if (word === undefined && value !== '') report(at, member, `${member} must be one of ${words.join(', ')}`)
  return word ?? standard
}

/** One of a few words; any other is a refusal, as Tier words it. */
export function recognise<T extends string> (at: Cursor, member: string, words: readonly T[], standard: T): T {
  const value = readString(at, member)
  const word = words.find(word => word === value)
  if (word === undefined && value !== '') at.refusals.push(`unknown ${member}: ${JSON.stringify(value)}`)
  return word ?? standard
}

/** Finite and not negative; absent: 0. */
export function readMoney (at: Cursor, member: string): number {
  const value = at.members[member] ?? 0
  if (typeof value !== 'number') report(at, member, `${member} must be a number`)
  else if (!Number.isFinite(value)) report(at, member, `${member} must be a finite number`)
  else if (value < 0) report(at, member, `${member} must be positive`)
  else if (value > 0) return value
  return 0
}

/** A whole number from 1 to `max`; absent: null. */
export function readCount (at: Cursor, member: string, max: number): number | null {
  const value = at.members[member] ?? null
  if (value === null) return null
  if (typeof value !== 'number') report(at, member, `${member} must be a number`)
  else if (value <= 0) report(at, member, `${member} must be greater than zero`)
  else if (value > max) report(at, member, `${member} must be at most ${max}`)
  else if (!Number.isInteger(value)) report(at, member, `${member} must be a whole number`)
  else return value
  return null
}

function open (at: Cursor, value: unknown, known?: readonly string[]): Cursor {
  const members = value ?? {}
  if (!isObject(members)) {
    add(at, at.pointer, `${at.text} must be an object`)
    return at
  }
  for (const member of known === undefined ? [] : Object.keys(members)) {
    if (!known?.includes(member)) add(at, `${at.pointer}/${escaped(member)}`, `unknown field ${JSON.stringify(member)}`)
  }
  return { ...at, members }
}

function readKey<K> (at: Cursor, key: string, parse: (key: string, pointer: string) => K): K | null {
  try {
    return parse(key, at.pointer)
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    add(at, at.pointer, error.message)
    return null
  }
}

function add (at: Cursor, pointer: string, detail: string): void {
  if (at.problems.length < problemsMax) at.problems.push({ pointer, detail })
}

function place (from: Cursor, text: string, key: string): Cursor {
  return { ...from, members: {}, text, pointer: `${from.pointer}/${escaped(key)}` }
}

/** A key as one part of a JSON pointer. */
export function escaped (key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
