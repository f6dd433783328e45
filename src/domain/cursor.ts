import { TollgateError } from '../errors.ts'

/** What a list is sorted by, of the last item that was shown. */
export type Place = ReadonlyArray<number | string>

/**
 * A place in a list, as text that callers hand back unread: what the list is sorted by. It names its list, so that a
 * cursor of one is not taken for a place in another.
 */
export function cursorText (list: string, place: Place): string {
  return Buffer.from(JSON.stringify([list, ...place])).toString('base64url')
}

/**
 * @param length how many numbers a place in this list has
 * @throws TollgateError `invalid_request` for what `cursorText` did not write for this list
 */
export function parseCursor (text: string, list: string, length: number, pointer = '?cursor'): number[] {
  return parse(text, list, length, pointer, (part): part is number => Number.isSafeInteger(part) && (part as number) >= 0)
}

/** The same of a list that is sorted by texts, which have no control characters. */
export function parseTextCursor (text: string, list: string, length: number, pointer = '?cursor'): string[] {
  return parse(text, list, length, pointer, (part): part is string => typeof part === 'string' && SORTED_BY.test(part))
}

const SORTED_BY = /^[^\p{Cc}\p{Cs}]+$/u

function parse<Part extends number | string> (
  text: string, list: string, length: number, pointer: string, isPart: (part: unknown) => part is Part
): Part[] {
  const [named, ...place] = parts(text)
  const known = place.filter(isPart)
  if (known.length !== length || cursorText(list, known) !== text || named !== list) {
    throw new TollgateError('invalid_request', `${pointer.slice(1)} must be one that a page of this list gave`, { pointer })
  }
  return known
}

function parts (text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
