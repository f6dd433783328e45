import { TollgateError } from '../errors.ts'

/**
 * A place in a list, as text that callers hand back unread: whole numbers by which the list is sorted. It names its
 * list, so that a cursor of one is not taken for a place in another.
 */
export function cursorText (list: string, place: readonly number[]): string {
  return Buffer.from(JSON.stringify([list, ...place])).toString('base64url')
}

/**
 * @param length how many numbers a place in this list has
 * @throws TollgateError `invalid_request` for what `cursorText` did not write for this list
 */
export function parseCursor (text: string, list: string, length: number, pointer = '?cursor'): number[] {
  const [named, ...place] = parts(text)
  const numbers = place.filter((part): part is number => Number.isSafeInteger(part) && (part as number) >= 0)
  if (numbers.length !== length || cursorText(list, numbers) !== text || named !== list) {
    throw new TollgateError('invalid_request', `${pointer.slice(1)} must be one that a page of this list gave`, { pointer })
  }
  return numbers
}

function parts (text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
