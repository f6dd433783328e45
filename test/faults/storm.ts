import { setTimeout as sleep } from 'node:timers/promises'
import { pick, type Random, randomOf } from '../e2e/random.ts'
import { type Fault, isOfRedis, isShared } from './faults.ts'
import type { Replica } from './replica.ts'
import { lastWords, type World } from './world.ts'

const AT_ONCE_MAX = 2
const GAP_MAX_MS = 600

export interface Planned {
  readonly fault: Fault
  readonly replica: Replica
  readonly lastsMs: number
  readonly gapMs: number
  readonly seed: number
}

/** What happened, by the clock on the wall. */
export interface Happening {
  readonly name: string
  readonly ofRedis: boolean
  readonly from: number
  readonly until: number
}

/** Which faults come, in what order, to whom and for how long: the same for the same seed. Each comes before any comes twice. */
export function planOf (world: World, faults: readonly Fault[], count: number, seed: number): readonly Planned[] {
  const random = randomOf(seed)
  const plan: Planned[] = []
  let deck: Fault[] = []
  while (plan.length < count) {
    if (deck.length === 0) deck = shuffled(random, faults)
    const fault = deck.pop() as Fault
    const replica = pick(random, world.replicas)
    plan.push({ fault, replica, lastsMs: random(fault.lastsMs + 1), gapMs: random(GAP_MAX_MS), seed: random(2 ** 31) })
  }
  return plan
}

function shuffled<Item> (random: Random, items: readonly Item[]): Item[] {
  return items.map(item => ({ item, at: random(2 ** 31) })).sort((a, b) => a.at - b.at).map(({ item }) => item)
}

/**
 * Lets the faults happen, in the order of the plan, two at once where they break different things.
 * @returns once all is mended
 */
export async function storm (world: World, plan: readonly Planned[], happened: (happening: Happening) => void): Promise<void> {
  const broken = new Map<string, Promise<void>>()
  for (const planned of plan) {
    const place = placeOf(planned)
    await sleep(planned.gapMs)
    await broken.get(place)
    while (broken.size >= AT_ONCE_MAX) await Promise.race(broken.values())
    const mended = befall(world, planned, happened).finally(() => broken.delete(place))
    // Seen by whoever waits for all.
    mended.catch(() => {})
    broken.set(place, mended)
  }
  await Promise.all(broken.values())
}

function placeOf ({ fault, replica }: Planned): string {
  return isShared(fault) ? fault.part : `${fault.part} of ${replica.name}`
}

async function befall (world: World, { fault, replica, lastsMs, seed }: Planned, happened: (happening: Happening) => void): Promise<void> {
  const scene = { world, replica, random: randomOf(seed) }
  const name = isShared(fault) ? `${fault.part}: ${fault.name}` : `${replica.name}: ${fault.name}`
  const from = Date.now()
  try {
    await fault.inject(scene)
    await sleep(lastsMs)
    await fault.mend(scene)
  } catch (cause) {
    throw new Error(`${name} could not be mended: ${(cause as Error).message}; ${lastWords(world)}`, { cause })
  }
  happened({ name, ofRedis: isOfRedis(fault), from, until: Date.now() })
}
