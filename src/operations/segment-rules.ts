import { v7 as uuidv7 } from 'uuid'
import { parseTextCursor } from '../domain/cursor.ts'
import { parseFeature } from '../domain/ids.ts'
import { checkRule, type Condition, type SegmentRule } from '../domain/segment.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { readFeature } from './features.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'

const RULES_MAX = 500
const LIST = 'segment-rules'
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

export interface NewRule {
  readonly event: string
  readonly conditions: readonly Condition[]
  readonly feature: string
}

/**
 * From now on events of this name that meet the conditions are uses of the feature; those that wait for a rule are, too, soon.
 * @throws TollgateError `invalid_request`; `feature_not_found`
 */
export async function createRule (stores: Stores, environment: string, { event, conditions, feature }: NewRule): Promise<SegmentRule> {
  checkRule({ event, conditions })
  const name = parseFeature(feature)
  await readFeature(stores, environment, name).catch(error => {
    if (!(error instanceof TollgateError) || error.code !== 'not_found') throw error
    throw new TollgateError('feature_not_found', `there is no ${name}`, { pointer: '/feature' })
  })
  const rule = { id: uuidv7(), event, conditions, feature: name, createdAt: Date.now() }
  if (!await available(stores.segment.addRule(environment, rule, RULES_MAX))) {
    throw new TollgateError('invalid_request', `there are ${RULES_MAX} rules already`)
  }
  return await readRule(stores, environment, rule.id)
}

/** @throws TollgateError `not_found` */
export async function readRule ({ segment }: Stores, environment: string, id: string): Promise<SegmentRule> {
  const rule = UUID.test(id) ? await available(segment.findRule(environment, id)) : undefined
  if (rule === undefined) throw ruleNotFound(id)
  return rule
}

/** In the order in which they were made. */
export async function listRules ({ segment }: Stores, { environment, cursor, countMax }: ListRequest): Promise<Listed<SegmentRule>> {
  const [after = null] = cursor === undefined ? [] : parseTextCursor(cursor, LIST, 1)
  if (after !== null && !UUID.test(after)) {
    throw new TollgateError('invalid_request', 'cursor must be one that a page of this list gave', { pointer: '?cursor' })
  }
  return listed(LIST, await available(segment.listRules(environment, after, countMax)))
}

/** What it has counted stays. @throws TollgateError `not_found` */
export async function deleteRule ({ segment }: Stores, environment: string, id: string): Promise<void> {
  if (!UUID.test(id) || !await available(segment.removeRule(environment, id))) throw ruleNotFound(id)
}

function ruleNotFound (id: string): TollgateError {
  return new TollgateError('not_found', `there is no rule ${id}`, { pointer: '?id' })
}
