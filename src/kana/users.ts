import { listOrgs, type OrgView, readOrg } from '../operations/orgs.ts'
import { changeProfile, createOrg } from '../operations/profiles.ts'
import { all, type Caller } from './caller.ts'
import { noSuch } from './failures.ts'
import { checked, looked, sought, userIdOf } from './names.ts'
import { userTokens } from './user-token.ts'
import { metadataOf } from './values.ts'

interface NewUser {
  readonly id: string
  readonly billingId?: string | null
  readonly name?: string | null
  readonly email?: string | null
  readonly metadata?: unknown
}

interface ChangedUser {
  readonly id?: string | null
  readonly name?: string | null
  readonly metadata?: unknown
}

export const users = {
  user: async ({ id }: { id: string }, caller: Caller) => {
    caller.allow('read')
    return userOf(await read(id, caller))
  },

  users: async ({ id }: { id?: string | null }, caller: Caller) => {
    caller.allow('read')
    if (typeof id === 'string') return [userOf(await read(id, caller))]
    const { stores, environment } = caller
    return (await all(async (cursor, countMax) => await listOrgs(stores, {
      environment, prefix: undefined, plan: undefined, feature: undefined, cursor, countMax
    }))).map(userOf)
  },

  createUser: async ({ input: { id, metadata, ...texts } }: { input: NewUser }, caller: Caller) => {
    caller.allow('write')
    return userOf(await createOrg(caller.stores, caller.environment, checked.user(id), { ...texts, metadata: metadataOf(metadata) }))
  },

  /** Whoever gets a new id keeps what they hold and have used. */
  updateUser: async ({ id, input: { id: next, name, metadata } }: { id: string, input: ChangedUser }, caller: Caller) => {
    caller.allow('write')
    const change = { ...(name !== undefined && { name }), ...(metadata !== undefined && { metadata: metadataOf(metadata) }) }
    const renamed = typeof next === 'string' ? checked.user(next) : undefined
    return userOf(await sought(changeProfile(caller.stores, caller.environment, looked.user(id), change, renamed), noSuch.user))
  },

  generateUserToken: async ({ userId }: { userId: string }, caller: Caller) => {
    caller.allow('write')
    const { org: { key } } = await read(userId, caller)
    return { token: await userTokens(caller.stores.secret).sign({ environment: caller.environment, userId, key }) }
  }
}

async function read (id: string, { stores, environment }: Caller): Promise<OrgView> {
  return await sought(readOrg(stores, environment, looked.user(id)), noSuch.user)
}

function userOf ({ org, info: { billingId = null, name = null, email = null, metadata = {} } }: OrgView) {
  return { id: userIdOf(org.name), billingId, name, email, metadata }
}
