import cors from '@fastify/cors'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { planText } from '../domain/ids.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import type { PlanFeature } from '../domain/plan.ts'
import { inForce } from '../domain/schedule.ts'
import type { Access } from '../operations/access.ts'
import { orgAsIs } from '../operations/orgs.ts'
import { nameByKey } from '../operations/whois.ts'
import { type Caller, callerOf } from './caller.ts'
import { clientSchema } from './client-schema.ts'
import { graphqlEndpoint } from './endpoint.ts'
import { unauthenticated } from './failures.ts'
import { CLOCK_HEADER, type ClientUser, doorsOf, USER_HEADER } from './keys.ts'
import { featureIdOf, looked, packageIdOf, userIdOf } from './names.ts'
import { looseInts } from './tolerance.ts'
import { FEATURE_TYPES } from './values.ts'
import { entitlementOf } from './verdicts.ts'

/** What Kana's npm package sends from a page, and what names a test clock. */
const HEADERS = ['authorization', 'content-type', 'x-api-version', USER_HEADER, CLOCK_HEADER]
const PREFLIGHT_BELIEVED_SECONDS = 86_400

interface Client extends Caller {
  readonly user: ClientUser
}

declare module 'fastify' {
  interface FastifyRequest {
    clientUser: ClientUser
  }
}

export interface ClientApiOptions {
  readonly access: Access
  /** Bounds what one key, or one user with a token, may send, in a scope in which requests have their `principal`. */
  readonly limited: (scope: FastifyInstance) => Promise<void>
}

/** Kana's client API, for pages in browsers: it tells users what they themselves may use, and nothing else. */
export const clientApi: FastifyPluginAsync<ClientApiOptions> = async (app, { access, limited }) => {
  // Any page may ask: whoever has no key hears nothing, and no cookie opens anything. Set before a request is judged, so that a
  // page reads refusals, too.
  await app.register(cors, { origin: '*', methods: ['POST'], allowedHeaders: HEADERS, maxAge: PREFLIGHT_BELIEVED_SECONDS, hideOptionsRoute: true })
  await app.register(async api => {
    const doors = doorsOf(api.stores, access)
    api.decorateRequest('principal')
    api.decorateRequest('clientUser')
    api.addHook('onRequest', async request => {
      const user = request.clientUser = await doors.client(request)
      request.principal = { environment: user.environment, kind: 'public', scopes: [], operator: false, actor: user.actor }
    })
    await limited(api)
    graphqlEndpoint<Client>(api, { schema: clientSchema, rules: [looseInts], root: { currentUser }, callerOf: clientOf })
  })

  async function clientOf (request: FastifyRequest): Promise<Client> {
    return { ...callerOf(app.stores, app.payments, request.principal, request), user: request.clientUser }
  }
}

async function currentUser (_none: object, { stores, environment, user }: Client) {
  const { org, info: { name = null, email = null } } = await orgAsIs(stores, environment, await currentName(user, { stores, environment }))
  return {
    id: userIdOf(org.name),
    name,
    email,
    subscribedPackages: async (_none: object, client: Client) => await subscribedPackages(org, client)
  }
}

/** A token holds the id that its user had then; somebody else may have that one now. */
async function currentName ({ userId, key }: ClientUser, { stores, environment }: Pick<Client, 'stores' | 'environment'>): Promise<string> {
  if (key === undefined) return looked.user(userId)
  const name = await nameByKey(stores, environment, key)
  if (name === undefined) throw unauthenticated('the user of this token is gone.')
  return name
}

/** What is held in part shows that part only. */
async function subscribedPackages (org: Org, client: Client) {
  const held = new Map<string, Set<string | null>>()
  for (const { plan, feature } of inForce(org.subscriptions, (await client.now()).now)) {
    const text = planText(plan)
    const parts = held.get(text) ?? new Set()
    held.set(text, parts.add(feature))
  }
  return await Promise.all([...held].map(async ([text, parts]) => {
    const { plan } = org.plans.get(text) as StoredPlan
    const { metadata } = await client.plan.load(text)
    const features = plan.features.filter(({ feature }) => parts.has(null) || parts.has(feature))
    return {
      id: packageIdOf(plan.ref),
      name: plan.title,
      isAddon: plan.addon,
      metadata,
      features: features.map(item => heldFeature(org.name, item))
    }
  }))
}

/** Its entitlement is that of all that the user holds: whoever looks at the first package that has it sees what counts. */
function heldFeature (org: string, { feature, type }: PlanFeature) {
  const id = featureIdOf(feature)
  return {
    id,
    name: async (_none: object, { labels }: Client) => (await labels.load(feature))?.title || id,
    type: FEATURE_TYPES[type],
    unitLabel: async (_none: object, { labels }: Client) => type === 'metered' ? (await labels.load(feature))?.unitLabel : null,
    unitLabelPlural: async (_none: object, { labels }: Client) => type === 'metered' ? (await labels.load(feature))?.unitLabelPlural : null,
    metadata: async (_none: object, { labels }: Client) => (await labels.load(feature))?.metadata ?? {},
    entitlement: async ({ delta }: { delta?: number | null }, client: Client) =>
      entitlementOf(await client.verdict({ org, feature, n: delta ?? 1 }))
  }
}
