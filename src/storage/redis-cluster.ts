import slotOf from 'cluster-key-slot'
import type { ChainableCommander, Redis } from 'ioredis'
import { coalesce } from './coalesce.ts'
import { recent } from './recent.ts'
import { type Commands, type Guard, inTime, type Nodes, serverGuard } from './redis-client.ts'
import { type RedisEntries, scriptArguments } from './redis-entries.ts'

const SLOTS = 16_384
/** Few at once, as for one server. */
const LIMITS = { batchMax: 1_000, inFlightMax: 4, waitingMax: 50_000 }
/** Redis Cluster has no more; addresses change when its machines do. */
const NODES_MAX = 1_000
/** After a failure, but no more often: who serves which slots? Each time costs a connection. */
const LOOK_AGAIN_AFTER_MS = 200

/** Asks for one thing, of a cluster or in a pipeline to a node. */
type Ask = <Answer>(to: Commands<Answer>) => Answer

type Pipeline = ChainableCommander & Commands<unknown>

/** What is asked of a node meanwhile goes there together; it fails, and is given up for a while, alone. */
interface Node {
  readonly ask: (ask: Ask) => Promise<unknown>
  readonly guarded: Guard
}

/**
 * Entries on the nodes of a cluster. Orgs are in many slots, and a command is for one: the commands for one node go in one
 * pipeline. What a node sends elsewhere, as while slots move, is asked once more, one by one, where it says.
 */
export function clusterEntries (cluster: Nodes): RedisEntries {
  const nodes = recent<string, Node>(NODES_MAX)
  let lookedAt = -Infinity

  function nodeOf (key: string): Node {
    const address = cluster.slots[slotOf(key)]?.[0]
    if (address === undefined) throw lost('the slot of an org')
    return nodeAt(address)
  }

  function nodeAt (address: string): Node {
    const known = nodes.get(address)
    if (known !== undefined) return known
    const guarded = serverGuard()
    const ask = coalesce<Ask, unknown>(async asks => {
      const connection = cluster.nodes().find(({ options: { host, port }, status }) => `${host}:${port}` === address && isUsable(status))
      if (connection === undefined) throw lost(address)
      return await guarded(async () => await together(connection, asks)).catch(error => {
        lookAgain()
        throw error
      })
    }, LIMITS)
    const node = { ask, guarded }
    nodes.set(address, node)
    return node
  }

  function lost (what: string): Error {
    lookAgain()
    return new Error(`no node of the cluster is known for ${what}`)
  }

  function lookAgain (): void {
    const now = performance.now()
    if (cluster.status !== 'ready' || now - lookedAt < LOOK_AGAIN_AFTER_MS) return
    lookedAt = now
    // If none of the nodes that are known answers, the addresses in the setting may lead to others.
    cluster.refreshSlotsCache(error => { if (error?.name === 'ClusterAllFailedError') cluster.disconnect(true) })
  }

  async function answerTo (key: string, ask: Ask): Promise<unknown> {
    const answer = await nodeOf(key).ask(ask)
    if (!(answer instanceof Error)) return answer
    if (!isRedirection(answer)) throw answer
    return await inTime(ask<Promise<unknown>>(cluster))
  }

  return {
    get: async keys => await answerTo(keys[0] as string, to => to.mget([...keys])) as Array<string | null>,
    put: async (perOrg, stamps) => {
      const answers = await Promise.allSettled(perOrg.filter(entries => entries.length > 0).map(async entries => {
        const parameters = scriptArguments(entries, stamps)
        return await answerTo(entries[0]?.[0] as string, to => to.publishEntries(...parameters)) as number
      }))
      const failed = answers.find(answer => answer.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      return answers.reduce((sum, answer) => answer.status === 'fulfilled' ? sum + answer.value : sum, 0)
    },
    ping: async () => {
      const addresses = new Set(Array.from({ length: SLOTS }, (_, slot) => cluster.slots[slot]?.[0]))
      await Promise.all([...addresses].map(async address => {
        if (address === undefined) throw lost('some slots')
        const answer = await nodeAt(address).ask(to => to.get('tollgate:ping'))
        // Whoever says that the key is elsewhere is well.
        if (answer instanceof Error && !isRedirection(answer)) throw answer
      }))
    }
  }
}

/** @returns an answer or an error each @throws what the node says where it has failed as a whole */
async function together (connection: Redis, asks: readonly Ask[]): Promise<unknown[]> {
  const pipeline = connection.pipeline() as Pipeline
  for (const ask of asks) ask<unknown>(pipeline)
  const results = await pipeline.exec() ?? []
  const answers = results.map(([error, answer]) => error ?? answer)
  if (answers.every(answer => answer instanceof Error && !isOfSlot(answer))) throw answers[0]
  return answers
}

/** One that has not connected yet does so when it is asked. */
function isUsable (status: string): boolean {
  return status !== 'end' && status !== 'close'
}

function isRedirection ({ message }: Error): boolean {
  return /^(MOVED|ASK) /.test(message)
}

/** Says something about where a key is, nothing about the node. */
function isOfSlot (error: Error): boolean {
  return isRedirection(error) || error.message.startsWith('TRYAGAIN')
}
