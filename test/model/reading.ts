import { type Amount } from '../../src/domain/amount.ts'
import { type Past, granted, reserved, used, windowAt, windowsUsed } from './past.ts'
import { figures, verdictOf, windowText } from './reference.ts'
import type { Answer } from './request.ts'
import type { read } from './service.ts'

type Reading = Awaited<ReturnType<typeof read>>

/** What each verdict should be. */
export function expectedVerdicts (past: Past, n: Amount): Answer[] {
  const { org, now } = past
  return [...org.features.keys()].flatMap(feature => {
    const grant = granted(past, feature, now)
    if (grant === null) return []
    if (grant.type === 'boolean') {
      return [{ feature, ok: true, reason: 'granted', ...figures(null, 0n, 0n), resetsAt: null }]
    }
    const { window: _, version: _version, ...verdict } = verdictOf(past, feature, grant, { mode: 'add', n, at: now }, now)
    return [{ feature, ...verdict, resetsAt: windowAt(past, feature, now).end }]
  })
}

/** What each window that is shown should say. */
export function expectedWindows (past: Past, { windows }: Reading): Answer[] {
  return windows.map(({ feature: name, window }) => {
    const feature = name as string
    const shape = windowAt(past, feature, Date.parse((window as string).split('/')[0] as string))
    const isCurrent = shape.start <= past.now && (shape.end === null || shape.end > past.now)
    const atEnd = past.org.features.get(feature)?.timeline.grantAtEnd(shape) ?? null
    const grant = isCurrent ? granted(past, feature, past.now) ?? atEnd : atEnd
    const limit = grant === null ? 0n : grant.limit
    return { feature, window: windowText(shape), ...figures(limit, used(past, feature, shape.start), reserved(past, feature, shape.start)) }
  })
}

/**
 * Windows in which something happened, and which are not shown although they have begun and the list is whole. One is no window
 * any more: what was counted ahead of its time, in one that then began with a change that took the feature away.
 */
export function missingWindows (past: Past, { windows, complete }: Reading): string[] {
  const shown = new Set(windows.map(({ feature, window }) => `${feature as string} ${(window as string).split('/')[0] as string}`))
  return windowsUsed(past)
    .filter(({ feature, start }) => complete.includes(feature) && start <= past.now && granted(past, feature, start) !== null)
    .map(({ feature, start }) => `${feature} ${new Date(start).toISOString()}`)
    .filter(text => !shown.has(text))
}
