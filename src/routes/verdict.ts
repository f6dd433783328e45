import { Type } from 'typebox'
import type { Answer } from '../operations/answer.ts'
import { FIGURES, Overage, REASONS, TimeOrNull, timeTextOrNull } from './schemas.ts'

export const Verdict = Type.Object({
  ok: Type.Boolean(),
  reason: Type.Unsafe<Answer['reason']>({
    type: 'string',
    enum: [...REASONS, 'ledger_unavailable'],
    description: '`ledger_unavailable`: as the feature\'s `onOutage` has it, and what is not known of the figures is 0'
  }),
  org: Type.String(),
  feature: Type.String(),
  ...FIGURES,
  overage: Overage,
  resetsAt: TimeOrNull,
  degraded: Type.Boolean({ description: 'The ledger could not be asked: figures up to 15 minutes old, or the feature\'s `onOutage` decided' })
})

export function verdictAnswer ({ ok, reason, org, feature, used, reserved, limit, remaining, overage, window, degraded }: Answer) {
  return { ok, reason, org, feature, used, reserved, limit, remaining, overage, resetsAt: timeTextOrNull(window?.end ?? null), degraded }
}
