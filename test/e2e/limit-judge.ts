import type { Answered, Wanted } from './consuming.ts'
import { type LedgerRows, nanos } from './ledger-rows.ts'

export interface Judgement {
  /** What is not as it should be, one line each. */
  readonly wrong: readonly string[]
  /** By the ledger. */
  readonly used: number
  readonly accepted: number
  readonly refused: number
  /** Callers whose connection failed before they were answered. */
  readonly unanswered: number
}

/**
 * Holds every answer against the events of the one window in which all of it happened. Nothing else raised its counter, so
 * the k-th event made version k, and what was used at version k is the sum of the first k.
 */
export function judgedByLimit (
  limit: number, wanted: readonly Wanted[], answers: readonly Answered[], { events, counters }: LedgerRows
): Judgement {
  const wrong: string[] = []
  const most = nanos(String(limit))
  const amounts = new Map(wanted.map(({ id, n }) => [id, nanos(String(n))]))
  const usedAt = [0n]
  const versionOf = new Map<string, number>()
  for (const { id, amount, usedAfter } of events) {
    const used = usedAt.at(-1) as bigint + amount
    usedAt.push(used)
    if (amount !== amounts.get(id)) wrong.push(`${id} is in the ledger with ${amount}`)
    if (usedAfter !== used) wrong.push(`${id} says that ${usedAfter} were used, and it were ${used}`)
    if (used > most) wrong.push(`${id} passes the limit: ${used}`)
    if (versionOf.has(id)) wrong.push(`${id} was counted twice`)
    versionOf.set(id, usedAt.length - 1)
  }
  const accepted = new Set<string>()
  for (const { id, text, body: { ok, version } } of answers) {
    const [, shown = ''] = /"used":(-?[\d.]+)/.exec(text) ?? []
    const seen = ok === true ? versionOf.get(id) : version ?? undefined
    const used = seen === undefined ? undefined : usedAt[seen]
    if (used === undefined) wrong.push(`${id}: there is no such version or event: ${text}`)
    else if (nanos(shown) !== used) wrong.push(`${id}: by the events, ${used} were used: ${text}`)
    else if (ok !== true && used + (amounts.get(id) ?? 0n) <= most) wrong.push(`${id} would have fitted: ${text}`)
    if (ok === true) accepted.add(id)
  }
  const last = usedAt.at(-1) as bigint
  const silent = [...versionOf.keys()].filter(id => !accepted.has(id))
  if (silent.length > 0) wrong.push(`counted, and nobody was told: ${silent.join(' ')}`)
  if (counters.length !== Math.min(1, events.length)) wrong.push(`${counters.length} counters`)
  for (const { used, version } of counters) {
    if (used !== last || version !== events.length) wrong.push(`the counter has ${used} at version ${version}, its events ${last} at ${events.length}`)
  }
  const ids = new Set(answers.map(({ id }) => id))
  return {
    wrong,
    used: Number(last) / 1e9,
    accepted: accepted.size,
    refused: ids.size - accepted.size,
    unanswered: answers.filter(({ lost }) => lost > 0).length
  }
}
