import fc from 'fast-check'
import t from 'tap'
import { type Busy, orgLanes } from '../../src/storage/org-lanes.ts'

const FULL = 64
interface Queue extends Busy { readonly queue: number[] }

const lane = (waits: number, isSlow = false) => ({ waiting: () => waits, isSlow: () => isSlow })

t.test('an op goes to the first lane that has room, else to the one where least waits', async t => {
  const laneOf = (...waits: [number, number]): number => {
    const lanes = [lane(waits[0]), lane(waits[1])] as const
    return lanes.indexOf(orgLanes(lanes).laneFor(1))
  }
  t.equal(laneOf(0, 0), 0)
  t.equal(laneOf(FULL - 1, 0), 0)
  t.equal(laneOf(FULL, 0), 1)
  t.equal(laneOf(FULL, FULL - 1), 1)
  t.equal(laneOf(500, 400), 1)
  t.equal(laneOf(400, 500), 0)
  t.equal(laneOf(400, 400), 0)
})

t.test('nobody who can go elsewhere waits behind a batch that takes long', async t => {
  const [slow, quick] = [lane(0, true), lane(500)]
  t.equal(orgLanes([slow, quick]).laneFor(1), quick)
  t.equal(orgLanes([slow, lane(1, true)]).laneFor(1), slow)
})

t.test('while an org has ops under way they are all on one lane, in order, whatever waits elsewhere', async () => {
  const steps = fc.array(fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ settle: fc.nat(1), ops: fc.integer({ min: 1, max: 200 }) }) }
  ), { minLength: 1, maxLength: 400 })
  fc.assert(fc.property(steps, fc.nat(100), (steps, others) => {
    const queues: number[][] = [Array<number>(others).fill(-1), []]
    const [first, second] = queues.map(queue => ({ queue, waiting: () => queue.length, isSlow: () => false })) as [Queue, Queue]
    const orgs = orgLanes([first, second])
    for (const step of steps) {
      if ('append' in step) orgs.laneFor(step.append).queue.push(step.append)
      else orgs.settled((queues[step.settle] as number[]).splice(0, step.ops))
      for (let org = 0; org <= 5; org += 1) if (queues.every(queue => queue.includes(org))) return false
    }
    for (const queue of queues) orgs.settled(queue.splice(0))
    return orgs.laneFor(0) === first
  }), { numRuns: 2_000 })
})
