import type { Amount } from '../../src/domain/amount.ts'
import type { Instant } from '../../src/domain/entitlement.ts'
import type { PlanName } from './plans.ts'

/** What a caller may ask for that counts, holds or corrects: whole, so that it can be sent again as it is. */
export type Request =
  | { readonly do: 'report' | 'consume', readonly feature: string, readonly n: Amount, readonly at: Instant | null, readonly set: boolean, readonly id: string }
  | { readonly do: 'reserve', readonly feature: string, readonly n: Amount, readonly ttlSeconds: number, readonly id: string }
  | { readonly do: 'commit', readonly reservation: string, readonly n: Amount | null }
  | { readonly do: 'release', readonly reservation: string }
  | { readonly do: 'extend', readonly reservation: string, readonly ttlSeconds: number }
  | { readonly do: 'amend', readonly event: string, readonly n: Amount, readonly id: string }
  | { readonly do: 'void', readonly event: string, readonly id: string }

export type Asked<Kind extends Request['do']> = Extract<Request, { do: Kind }>

/** What changes the world around it. */
export type Change =
  | { readonly do: 'subscribe', readonly plans: readonly PlanName[], readonly effectiveAt: Instant | null }
  | { readonly do: 'override', readonly feature: string, readonly limit: Amount | null, readonly overage: boolean, readonly until: Instant | null }
  | { readonly do: 'end override', readonly feature: string }
  | { readonly do: 'wait', readonly ms: number }

/** As both sides give it, amounts and times as text: equal or not. */
export type Answer = Readonly<Record<string, string | number | boolean | null>>
