import { TollgateError } from '../errors.ts'
import { checkStorable } from './properties.ts'

const REASON_MAX = 500

/** Why somebody did something, for whoever asks later. @throws TollgateError `invalid_request` */
export function parseReason (text: string, pointer = '/reason'): string {
  checkStorable(text, pointer)
  if (text.trim() === '' || text.length > REASON_MAX) {
    throw new TollgateError('invalid_request', `reason must be 1 to ${REASON_MAX} characters`, { pointer })
  }
  return text
}
