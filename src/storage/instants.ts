import type { Instant } from '../domain/entitlement.ts'
import { instantFrom } from './schema.ts'

/** Instants as Postgres reads and writes them, in statements that no table's columns map. */

export function instantText (at: Instant): string {
  return new Date(at).toISOString()
}

export function instantTextOrNull (at: Instant | null): string | null {
  return at === null ? null : instantText(at)
}

export function instantOrNull (text: string | null | undefined): Instant | null {
  return text === null || text === undefined ? null : instantFrom(text)
}
