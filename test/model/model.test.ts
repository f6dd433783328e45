import t, { type Test } from 'tap'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { sized } from '../fixtures/size.ts'
import { playSequences } from './sequences.ts'

/** What fits into a few seconds; `npm run model` plays thousands, and with `MODEL_ON=servers` on two replicas in turn. */
const SEQUENCES = { embedded: sized(32, 64), servers: sized(12, 32) }
/** What some of these sequences meet: where they do not, the model says nothing of it. */
const MET = ['report done', 'report done duplicate', 'consume done', 'consume denied limit_reached', 'consume denied feature_not_found', 'reserve done',
  'reserve denied limit_reached', 'commit done', 'commit done late', 'commit event_conflict', 'release done', 'extend done', 'extend reservation_conflict',
  'amend done', 'void done', 'void correction_conflict', 'subscribe done', 'override done', 'wait done']

t.setTimeout(300_000)

/** The same for everybody, so that a change is blamed for what it broke; `npm run model` goes where nobody was. */
const seed = 1

async function agree (t: Test, on: keyof typeof SEQUENCES): Promise<ReadonlyMap<string, number>> {
  const { tally, failure } = await playSequences(t, { on, count: SEQUENCES[on], seed, path: undefined })
  t.equal(failure, undefined, `${SEQUENCES[on]} sequences of seed ${seed}`)
  return tally
}

t.test('every answer, and all that can be read after every step, is what a recount of all that ever happened gives', async t => {
  const tally = await agree(t, 'embedded')
  t.strictSame(MET.filter(what => !tally.has(what)), [], 'everything that matters was met')
})

t.test('also of two replicas in turn', { skip: postgresMissing || redisMissing }, async t => {
  await agree(t, 'servers')
})
