import { cursorText } from '../domain/cursor.ts'
import type { Page } from '../storage/page.ts'

/** A page of a list, as every list of resources is answered. */
export interface Listed<Item> {
  readonly items: readonly Item[]
  /** For the next page; null: this was the last. */
  readonly nextCursor: string | null
}

/** What chooses the part of a list that is answered. */
export interface ListRequest {
  readonly environment: string
  /** The `nextCursor` of the page before. */
  readonly cursor: string | undefined
  readonly countMax: number
}

/** @param list names it in its cursors */
export function listed<Item> (list: string, { items, next }: Page<Item>): Listed<Item> {
  return { items, nextCursor: next === null ? null : cursorText(list, next) }
}
