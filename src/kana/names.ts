import { parseFeature, parseOrg, parsePlanRef, type PlanRef, planText } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import { failure, noSuch } from './failures.ts'

/** Ids of Kana, and ours. A package's version is shown where it is not the one that Kana's packages have. */
const KANAS_VERSION = '0'
const ORG = 'org:'
const FEATURE = 'feature:'
const PLAN = 'plan:'

function orgOf (userId: string): string {
  return `${ORG}${userId}`
}

export function userIdOf (org: string): string {
  return org.slice(ORG.length)
}

function featureOf (featureId: string): string {
  return `${FEATURE}${featureId}`
}

export function featureIdOf (feature: string): string {
  return feature.slice(FEATURE.length)
}

/** `pro` is `plan:pro@0`, `pro@1` is `plan:pro@1`. */
function planOf (packageId: string): string {
  return `${PLAN}${packageId}${packageId.includes('@') ? '' : `@${KANAS_VERSION}`}`
}

export function packageIdOf ({ name, version }: PlanRef): string {
  return `${name.slice(PLAN.length)}${version === KANAS_VERSION ? '' : `@${version}`}`
}

const READ = {
  user: (id: string): string => parseOrg(orgOf(id)),
  feature: (id: string): string => parseFeature(featureOf(id)),
  package: (id: string): string => planText(parsePlanRef(planOf(id), '/id'))
}

/** Our ids of what is to be made. @throws `BAD_USER_INPUT` */
export const checked = {
  user: (id: string): string => orElse(READ.user, id, () => failure('User Id must be 1 to 255 printable characters without leading or trailing space')),
  feature: (id: string): string => orElse(READ.feature, id, () => failure('Feature Id must be 1 to 240 printable characters without "@" or space')),
  package: (id: string): string => orElse(READ.package, id, () =>
    failure('Package Id must be 1 to 240 printable characters without space; after an "@" comes a version of letters, digits and ". _ -"'))
}

/** Our ids of what is asked for: where there cannot be one, there is none. @throws that there is none */
export const looked = {
  user: (id: string): string => orElse(READ.user, id, noSuch.user),
  feature: (id: string): string => orElse(READ.feature, id, noSuch.feature),
  package: (id: string): string => orElse(READ.package, id, noSuch.package)
}

function orElse (read: (id: string) => string, id: string, none: () => Error): string {
  try {
    return read(id)
  } catch (error) {
    throw error instanceof TollgateError ? none() : error
  }
}

/** @param none thrown where what was asked for is not there */
export async function sought<T> (answer: Promise<T>, none: () => Error): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw error instanceof TollgateError && error.code === 'not_found' ? none() : error
  }
}
