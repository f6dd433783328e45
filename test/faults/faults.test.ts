import t, { type Test } from 'tap'
import { sized } from '../fixtures/size.ts'
import { faultRound, type RoundOptions } from './round.ts'
import { worldMissing } from './world.ts'

t.setTimeout(300_000)

const seed = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000)

async function round (t: Test, options: Omit<RoundOptions, 'seed'>): Promise<void> {
  t.comment(`FAULT_SEED=${seed}`)
  const { wrong, tally, happenings, seconds } = await faultRound(t, { ...options, seed, progress: line => t.comment(line) })
  t.comment(`${happenings.length} faults in ${seconds} s: ${JSON.stringify(tally)}`)
  t.strictSame(wrong, [], `all is as it was promised; FAULT_SEED=${seed} breaks the same`)
}

t.test('whatever breaks between callers, replicas, Postgres and Redis, nothing is lost or counted twice, and reads are right', {
  skip: worldMissing('servers')
}, async t => await round(t, { on: 'servers', replicas: 2, faults: sized(8, 11) }))

t.test('nor where the process with the embedded ledger breaks', async t => await round(t, { on: 'embedded', replicas: 1, faults: sized(3, 4) }))
