import type { Verdict } from './counter.ts'
import type { OutagePolicy } from './entitlement.ts'

/** A verdict, or what takes its place while the ledger cannot be asked. */
export interface AnswerableVerdict extends Omit<Verdict, 'reason'> {
  readonly reason: Verdict['reason'] | 'ledger_unavailable'
}

const REFUSED: AnswerableVerdict = {
  ok: false, reason: 'ledger_unavailable', used: 0n, reserved: 0n, limit: 0n, remaining: 0n, overage: 0n
}
/** Nothing limits now, so there is no limit to show. */
const ALLOWED: AnswerableVerdict = { ...REFUSED, ok: true, limit: null, remaining: null }

/**
 * What a feature's policy answers while the ledger cannot be asked. Figures that are known are shown, whoever decides.
 * @param known by figures of up to 15 minutes ago; undefined: there are none
 */
export function verdictInOutage (policy: OutagePolicy, known: Verdict | undefined): AnswerableVerdict {
  if (policy === 'lastKnown') return known ?? REFUSED
  const ok = policy === 'open'
  return known === undefined ? (ok ? ALLOWED : REFUSED) : { ...known, ok, reason: 'ledger_unavailable' }
}
