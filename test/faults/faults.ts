import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../e2e/random.ts'
import type { PostgresServer } from '../fixtures/postgres.ts'
import type { TcpProxy } from '../fixtures/proxy.ts'
import { until } from '../storage/until.ts'
import type { RedisGroup } from './redis-group.ts'
import type { RedisPlace } from './redis-place.ts'
import type { Replica } from './replica.ts'
import type { World } from './world.ts'

/** What breaks. Of one part, one thing is broken at a time; a replica and its ways are its own. */
export type Part = 'replica' | 'postgres' | 'redis' | 'redisGroup' | 'callers' | 'toPostgres' | 'toRedis'

export interface Scene {
  readonly world: World
  /** The one that is meant, where there are several. */
  readonly replica: Replica
  readonly random: Random
}

export interface Fault {
  readonly name: string
  readonly part: Part
  /** At most, from `inject` to `mend`. */
  readonly lastsMs: number
  inject (scene: Scene): unknown
  mend (scene: Scene): unknown
}

/** As long as a supervisor, an operator or a virtual machine that is moved may take, and longer than any wait of a session. */
const FREEZE_MS = 6_000
const OUTAGE_MS = 2_500
const LAG_MAX_MS = 1_500
const DELAY_MAX_MS = 1_000
/**
 * After a connection has died without a word, its client must have found that out by itself: on a quiet machine within 26 s, of which it
 * is not used for 15, then asked for 6, and given 5 to end.
 */
const LEFT_WITHIN_MS = 60_000

const nothing = (): void => {}
const REPLICA: readonly Fault[] = [
  { name: 'killed', part: 'replica', lastsMs: OUTAGE_MS, inject: ({ replica }) => replica.kill('SIGKILL'), mend: ({ replica }) => replica.start() },
  { name: 'told to stop', part: 'replica', lastsMs: 0, inject: ({ replica }) => replica.kill('SIGTERM'), mend: ({ replica }) => replica.start() },
  { name: 'frozen', part: 'replica', lastsMs: FREEZE_MS, inject: ({ replica }) => replica.pause(), mend: ({ replica }) => replica.resume() }
]

type OnPostgres = (postgres: PostgresServer) => unknown
const postgresFault = (name: string, lastsMs: number, inject: OnPostgres, mend: OnPostgres): Fault => ({
  name,
  part: 'postgres',
  lastsMs,
  inject: ({ world }) => inject(world.postgres as PostgresServer),
  mend: ({ world }) => mend(world.postgres as PostgresServer)
})

const POSTGRES: readonly Fault[] = [
  postgresFault('crashed', OUTAGE_MS, postgres => postgres.stop('immediate'), postgres => postgres.start()),
  postgresFault('restarted', 0, postgres => postgres.stop('fast'), postgres => postgres.start()),
  postgresFault('frozen', FREEZE_MS, postgres => postgres.pause('all'), postgres => postgres.resume()),
  postgresFault('backends frozen', FREEZE_MS, postgres => postgres.pause('backends'), postgres => postgres.resume()),
  postgresFault('postmaster frozen', FREEZE_MS, postgres => postgres.pause('postmaster'), postgres => postgres.resume())
]

type OnRedis = (redis: RedisPlace, scene: Scene) => unknown
const redisFault = (name: string, lastsMs: number, inject: OnRedis, mend: OnRedis): Fault => ({
  name,
  part: 'redis',
  lastsMs,
  inject: scene => inject(scene.world.redis as RedisPlace, scene),
  mend: scene => mend(scene.world.redis as RedisPlace, scene)
})

async function laggardFor (redis: RedisPlace, { random }: Scene): Promise<void> {
  await redis.startLaggard()
  await sleep(random(LAG_MAX_MS))
}

async function killAfterSnapshot (redis: RedisPlace, { random }: Scene): Promise<void> {
  await redis.snapshot()
  await sleep(random(LAG_MAX_MS))
  await redis.kill()
}

/** The replicas of Tollgate do not agree which Redis is in charge. */
async function split (redis: RedisPlace, scene: Scene): Promise<void> {
  await laggardFor(redis, scene)
  await redis.promoteFor([scene.replica.toRedis as TcpProxy])
}

const REDIS: readonly Fault[] = [
  redisFault('killed, back empty', OUTAGE_MS, redis => redis.kill(), redis => redis.startEmpty()),
  redisFault('back from an older snapshot', 500, killAfterSnapshot, redis => redis.startFromSnapshot()),
  redisFault('replaced by a lagging replica', 0, laggardFor, redis => redis.promote()),
  redisFault('two in charge', OUTAGE_MS, split, redis => redis.promote()),
  redisFault('wiped', 0, redis => redis.wipe(), nothing),
  redisFault('frozen', FREEZE_MS, redis => redis.pause(), redis => redis.resume())
]

type OnGroup = (group: RedisGroup, random: Random) => unknown
const groupFault = (name: string, lastsMs: number, inject: OnGroup): Fault => ({
  name,
  part: 'redisGroup',
  lastsMs,
  inject: ({ world, random }) => inject(world.redisGroup as RedisGroup, random),
  mend: ({ world }) => world.redisGroup?.mend()
})

const REDIS_GROUP: readonly Fault[] = [
  groupFault('a master killed', OUTAGE_MS, (group, random) => group.kill(random)),
  groupFault('a master replaced by a lagging replica', OUTAGE_MS, (group, random) => group.killAhead(random, LAG_MAX_MS)),
  groupFault('a master frozen', FREEZE_MS, (group, random) => group.freeze(random)),
  groupFault('all killed, back empty', OUTAGE_MS, group => group.killAll()),
  groupFault('wiped', 0, group => group.wipe())
]

interface Manner {
  readonly name: string
  readonly lastsMs: number
  inject (link: TcpProxy, random: Random): unknown
  mend (link: TcpProxy): unknown
}

function refuse (link: TcpProxy): void {
  link.refuse()
  link.reset()
}

const pass = async (link: TcpProxy): Promise<void> => await link.pass()

const MANNERS: readonly Manner[] = [
  { name: 'cut', lastsMs: 0, inject: link => link.reset(), mend: nothing },
  { name: 'losing answers', lastsMs: OUTAGE_MS, inject: link => { void link.dropAnswers() }, mend: pass },
  { name: 'refused', lastsMs: OUTAGE_MS, inject: refuse, mend: pass },
  { name: 'slow', lastsMs: OUTAGE_MS, inject: (link, random) => link.delay(random(DELAY_MAX_MS)), mend: pass },
  { name: 'half-open, then flowing', lastsMs: FREEZE_MS, inject: link => link.hold(), mend: pass }
]

const DEAD = { name: 'dead without a word', inject: (link: TcpProxy) => link.strand() }
/** Callers keep connections that they do not use; nobody can tell them that one is dead. */
const OF_CALLERS: readonly Manner[] = [...MANNERS, { ...DEAD, lastsMs: OUTAGE_MS, mend: link => link.reset() }]
const OF_STORES: readonly Manner[] = [...MANNERS, { ...DEAD, lastsMs: 0, mend: left }]

async function left (link: TcpProxy): Promise<void> {
  await until('dead connections are left', () => link.stranded() === 0, LEFT_WITHIN_MS)
}

type Way = 'callers' | 'toPostgres' | 'toRedis'

const ways = (part: Way, title: string, manners: readonly Manner[]): Fault[] => manners.map(({ name, lastsMs, inject, mend }) => ({
  name: `the way ${title} ${name}`,
  part,
  lastsMs,
  inject: ({ replica, random }) => inject(replica[part] as TcpProxy, random),
  mend: ({ replica }) => mend(replica[part] as TcpProxy)
}))

const WAYS: readonly Fault[] = [
  ...ways('callers', 'from callers', OF_CALLERS),
  ...ways('toPostgres', 'to Postgres', OF_STORES),
  ...ways('toRedis', 'to Redis', OF_STORES)
]

const FAULTS = [...REPLICA, ...POSTGRES, ...REDIS, ...REDIS_GROUP, ...WAYS]

/** Those that can befall this world. */
export function faultsOf ({ postgres, redis, redisGroup, replicas: [replica] }: World): readonly Fault[] {
  const parts: Record<Part, boolean> = {
    replica: true,
    postgres: postgres !== undefined,
    redis: redis !== undefined,
    redisGroup: redisGroup !== undefined,
    callers: true,
    toPostgres: replica?.toPostgres !== undefined,
    toRedis: replica?.toRedis !== undefined
  }
  return FAULTS.filter(({ part }) => parts[part])
}

export function isOfRedis ({ part }: Pick<Fault, 'part'>): boolean {
  return part === 'redis' || part === 'redisGroup' || part === 'toRedis'
}

/** Is there one of it, or one for each replica? */
export function isShared ({ part }: Pick<Fault, 'part'>): boolean {
  return part === 'postgres' || part === 'redis' || part === 'redisGroup'
}
