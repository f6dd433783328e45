import { Type } from 'typebox'
import type { Answer } from '../operations/answer.ts'
import { Figure, FigureOrUnlimited, REASONS, TimeOrNull, timeTextOrNull } from './schemas.ts'

export const Verdict = Type.Object({
  ok: Type.Boolean(),
  reason: Type.Unsafe<Answer['reason']>({
    type: 'string',
    enum: [...REASONS, 'ledger_unavailable'],
    description: '`ledger_unavailable`: as the feature\'s `onOutage` has it, and what is not known of the figures is 0'
  }),
  org: Type.String(),
  feature: Type.String(),
  used: Figure,
  reserved: Figure,
  limit: FigureOrUnlimited,
  remaining: FigureOrUnlimited,
  overage: Type.Unsafe<bigint>({ type: 'number', description: 'How far `used` lies above the limit' }),
  resetsAt: TimeOrNull,
  degraded: Type.Boolean({ description: 'The ledger could not be asked: figures up to 15 minutes old, or the feature\'s `onOutage` decided' })
})

export function verdictAnswer ({ ok, reason, org, feature, used, reserved, limit, remaining, overage, window, degraded }: Answer) {
  return { ok, reason, org, feature, used, reserved, limit, remaining, overage, resetsAt: timeTextOrNull(window?.end ?? null), degraded }
}
