import { Type } from 'typebox'
import { TollgateError } from '../errors.ts'

/** For routes whose request makes one event or one reservation: its id makes a retry free. */
export const EventIdHeader = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ maxLength: 300, description: 'The `id`, for callers who prefer a header' }))
})

/** @throws TollgateError `invalid_request` where the body and the header differ */
export function eventId (id: string | undefined, key: string | undefined): { id: string | undefined, idPointer: string } {
  if (id !== undefined && key !== undefined && id !== key) {
    throw new TollgateError('invalid_request', 'id and the Idempotency-Key header differ; send one of them', { pointer: '/id' })
  }
  return { id: id ?? key, idPointer: id === undefined ? 'idempotency-key' : '/id' }
}
