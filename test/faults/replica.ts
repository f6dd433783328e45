import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../../src/storage/database.ts'
import type { Scope } from '../fixtures/guard.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { tcpProxy, type TcpProxy } from '../fixtures/proxy.ts'
import { type Api, apiOf } from '../e2e/api.ts'

/** As a supervisor does, where a store is away at the start. */
const START_ATTEMPTS = 20
const START_DELAY_MS = 200
const SOCKETS = 50
/** Longer than a process takes that drains. */
const STOP_WITHIN_MS = 60_000
const LAST_WORDS = 20
const UNPUBLISHED = /"time":(\d+).*the mirror did not take/
/** Callers who give up soon and ask another replica, and callers who wait for whatever there is to hear. */
const PATIENCE_MS = [3_000, 15_000]

/** One process of Tollgate with its ways to and from others, through all of its lives. */
export interface Replica {
  readonly name: string
  /** The same calls with different patience, by way of `callers`. */
  readonly apis: readonly Api[]
  readonly callers: TcpProxy
  readonly toPostgres: TcpProxy | undefined
  readonly toRedis: TcpProxy | undefined
  /** Of the life that goes on or has ended last. */
  output: () => string
  /** When it said that the mirror had not taken what it was told, in all of its lives. */
  readonly unpublishedAt: ReadonlySet<number>
  pause: () => void
  resume: () => void
  kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>
  start: () => Promise<void>
}

export interface ReplicaOptions {
  readonly name: string
  readonly env: Record<string, string>
  readonly toPostgres?: TcpProxy
  readonly toRedis?: TcpProxy
}

export async function startReplica (t: Scope, { name, env, toPostgres, toRedis }: ReplicaOptions): Promise<Replica> {
  const unpublishedAt = new Set<number>()
  const life = lifeOf(t, env, line => {
    const [, time] = UNPUBLISHED.exec(line) ?? []
    if (time !== undefined) unpublishedAt.add(Number(time))
  })
  const callers = await tcpProxy(t, (await life.start()).port)
  return {
    name,
    apis: PATIENCE_MS.map(timeoutMs => apiOf(t, `http://127.0.0.1:${callers.port}`, { sockets: SOCKETS, timeoutMs })),
    callers,
    toPostgres,
    toRedis,
    output: () => life.service().output(),
    unpublishedAt,
    pause: () => process.kill(life.service().pid, 'SIGSTOP'),
    resume: () => process.kill(life.service().pid, 'SIGCONT'),
    kill: life.kill,
    start: async () => callers.target((await life.start()).port)
  }
}

interface Life {
  service: () => Service
  start: () => Promise<Service>
  kill: (signal: NodeJS.Signals) => Promise<void>
}

function lifeOf (t: Scope, env: Record<string, string>, onLine: (line: string) => void): Life {
  let service: Service | undefined
  let ends: Array<() => unknown> = []
  const end = async () => {
    const due = ends.reverse()
    ends = []
    for (const stop of due) await stop()
  }
  t.teardown(end)
  return {
    service: () => service as Service,
    start: async () => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return (service = await serve({ teardown: stop => ends.push(stop) }, { env, onLine }))
        } catch (error) {
          await end()
          if (attempt === START_ATTEMPTS) throw error
          await sleep(START_DELAY_MS)
        }
      }
    },
    kill: async signal => {
      const exited = service?.kill(signal)
      const lastWords = () => service?.output().split('\n').slice(-LAST_WORDS).join('\n')
      await within(STOP_WITHIN_MS, exited as Promise<unknown>).catch(() => { throw new Error(`it did not stop; its last words:\n${lastWords()}`) })
      await end()
    }
  }
}
