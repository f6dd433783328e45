import { amountOf } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import { type ErrorCode, TollgateError } from '../errors.ts'
import { readFeature } from '../operations/features.ts'
import { report } from '../operations/report.ts'
import { usage as usageOf, type WindowUsage } from '../operations/usage.ts'
import type { Caller } from './caller.ts'
import { failure, noSuch } from './failures.ts'
import { looked, sought } from './names.ts'
import { consumptionOf, entitlementOf, NOT_ENTITLED } from './verdicts.ts'

/** Past periods in one answer. */
const PAST_MAX = 1_000

interface Subject {
  readonly userId: string
  readonly featureId: string
}

interface SentUsage extends Subject {
  readonly delta?: number | null
  readonly action?: 'ADD' | 'SET' | null
}

export const usage = {
  canUseFeature: async ({ userId, featureId, delta }: Subject & { delta?: number | null }, caller: Caller) => {
    caller.allow('read')
    const answer = await caller.verdict({ org: looked.user(userId), feature: looked.feature(featureId), n: delta ?? 1 })
    if (answer.reason === 'feature_not_found') await checkFeature(featureId, caller)
    return entitlementOf(answer)
  },

  showUsage: async ({ userId, featureId }: Subject, caller: Caller) => {
    caller.allow('read')
    const question = { org: looked.user(userId), feature: looked.feature(featureId), from: null, to: null, cursor: null, pageMax: PAST_MAX }
    try {
      const { features: [found] } = await usageOf(caller.stores, { environment: caller.environment, ...question })
      if (found === undefined || found.current === null || found.decidedSince === null) return NOTHING
      const since: Instant = found.decidedSince
      return { current: periodOf(found.current), past: found.past.filter(({ start }) => start >= since).map(periodOf) }
    } catch (error) {
      if (!isRefusedAs(error, 'feature_not_found')) throw error
      await checkFeature(featureId, caller)
      return NOTHING
    }
  },

  recordUsage: async ({ input }: { input: SentUsage }, caller: Caller) => {
    caller.allow('write')
    return await record(input, caller)
  },

  createUsageEvent: async (args: OldOrNew, caller: Caller) => await recorded(args, caller),
  createusageevent: async (args: OldOrNew, caller: Caller) => await recorded(args, caller)
}

const NOT_COUNTED = 'The user has access to this binary feature, of which no usage is counted.'
const NOTHING = { current: null, past: [] }

type OldOrNew = Partial<SentUsage> & { readonly input?: SentUsage | null }

async function recorded ({ input, userId, featureId, delta, action }: OldOrNew, caller: Caller): Promise<boolean> {
  caller.allow('write')
  const sent = input ?? { userId, featureId, delta, action }
  if (typeof sent.userId !== 'string' || typeof sent.featureId !== 'string') {
    throw failure('Field "createUsageEvent" needs userId and featureId, as arguments or in input.')
  }
  return (await record(sent as SentUsage, caller)).recorded
}

/** The usage took place: no limit refuses it. Of access or not there is no amount that could be recorded. */
async function record (
  { userId, featureId, delta, action }: SentUsage, caller: Caller
): Promise<{ recorded: boolean, reason: string | null }> {
  try {
    await report(caller.stores, {
      environment: caller.environment,
      org: looked.user(userId),
      feature: looked.feature(featureId),
      n: amountOf(delta ?? 1),
      at: null,
      clobber: action === 'SET',
      id: undefined,
      idPointer: '',
      properties: undefined
    })
    return { recorded: true, reason: null }
  } catch (error) {
    const isUncounted = isRefusedAs(error, 'invalid_request') && await isBinary({ userId, featureId }, caller)
    if (isUncounted) return { recorded: false, reason: NOT_COUNTED }
    if (!isRefusedAs(error, 'feature_not_found')) throw error
    await checkFeature(featureId, caller)
    return { recorded: false, reason: NOT_ENTITLED }
  }
}

function isRefusedAs (error: unknown, code: ErrorCode): boolean {
  return error instanceof TollgateError && error.code === code
}

async function isBinary ({ userId, featureId }: Subject, caller: Caller): Promise<boolean> {
  const { reason } = await caller.verdict({ org: looked.user(userId), feature: looked.feature(featureId), n: 0 })
  return reason === 'granted'
}

/** Whoever asks for a feature that nobody has made is told so. */
async function checkFeature (featureId: string, { stores, environment }: Caller): Promise<void> {
  await sought(readFeature(stores, environment, looked.feature(featureId)), noSuch.feature)
}

function periodOf ({ start, end, used, limit, permitsOverage }: WindowUsage) {
  return {
    periodStart: new Date(start).toISOString(),
    periodEnd: end === null ? null : new Date(end).toISOString(),
    consumption: consumptionOf(used, limit, permitsOverage)
  }
}
