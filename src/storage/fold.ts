import { amountFromNumeric } from '../domain/amount.ts'
import { type EffectiveEvent, refold } from '../domain/correction.ts'
import { type Counter, EMPTY } from '../domain/counter.ts'
import type { Aggregate } from '../domain/entitlement.ts'
import type { Database, Session, Statement } from './database.ts'
import type { CounterKey } from './mirror.ts'
import { instantFrom } from './schema.ts'

const FOLD_PAGE_EVENTS = 1_000

/** What one event of the window shall count as, instead of what is stored. */
export interface Replacement {
  readonly id: string
  readonly event: EffectiveEvent
}

/** One pass in the order of arrival, however many pages: no index has that order within a window. */
const DECLARE = `declare window_events no scroll cursor for
  select e.id, e.mode, case c.mode when 'void' then null when 'amend' then c.amount else e.amount end, e.at
  from events e left join lateral (
    select mode, amount from events c where c.org = e.org and c.refers_to = e.id order by c.seq desc limit 1
  ) c on true
  where e.org = $1::int and e.feature = $2::int and e.window_start = $3::timestamptz and e.at >= $3::timestamptz
    and e.mode in ('add', 'set')
  order by e.seq`
const FETCH: Statement = { text: `fetch ${FOLD_PAGE_EVENTS} from window_events`, params: [] }
const CLOSE: Statement = { text: 'close window_events', params: [] }

type Row = [id: string, mode: 'add' | 'set', amount: string | null, at: string]

/**
 * What all events of a window come to, each as it counts now; the version is left at the number of those that count.
 * @param session in a transaction, or a database, which gives it one
 */
export async function foldWindow (
  session: Session | Database, key: CounterKey, aggregate: Aggregate, replacement?: Replacement
): Promise<Counter> {
  if ('transaction' in session) return await session.transaction(async inside => await foldWindow(inside, key, aggregate, replacement))
  const declare = { text: DECLARE, params: [key.org, key.feature, new Date(key.start).toISOString()] }
  let [, page] = await session.run([declare, FETCH])
  let counter = EMPTY
  for (;;) {
    const rows = (page?.rows ?? []) as unknown as Row[]
    counter = refold(counter, aggregate, rows.map(row => effective(row, replacement)))
    if (rows.length < FOLD_PAGE_EVENTS) break
    ;[page] = await session.run([FETCH])
  }
  await session.run([CLOSE])
  return counter
}

function effective ([id, mode, amount, at]: Row, replacement: Replacement | undefined): EffectiveEvent {
  if (id === replacement?.id) return replacement.event
  return { mode, amount: amount === null ? null : amountFromNumeric(amount), at: instantFrom(at) }
}
