import t, { type Test } from 'tap'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { fuzzRound } from './round.ts'

const missing = postgresMissing || redisMissing
const REQUESTS = 20_000
/** Where there are servers most go there: they take a quarter of the time of the embedded ledger. */
const LONG = missing === false ? 'servers' : 'embedded'
const EMBEDDED = LONG === 'embedded' ? REQUESTS : 500
/** Refusals that some of these requests meet: if they do not, the others do not get far either. */
const REACHED = ['invalid_request', 'invalid_id', 'invalid_amount', 'org_not_found', 'feature_not_found', 'TERR1020', 'unauthorized', 'forbidden',
  'not_found', 'event_not_found', 'event_conflict', 'body_too_large', 'unsupported_media_type']

/**
 * A plan that is new and right in every member is hardly made by chance, nor are two orgs that can be merged, and a file is no JSON. Their
 * own tests and the examples ask for them.
 */
const SELDOM = ['post /v1/plans', 'post /v1/org-imports', 'post /v1/orgs/{org}/merge']

/** A minute on two slow cores that others use as well, half of that alone; five minutes where all of it goes to the embedded ledger. */
t.setTimeout(900_000)

/** The same for everybody, so that a change is blamed for what it broke; `npm run fuzz` goes where nobody was. */
const seed = Number(process.env.FUZZ_SEED ?? 1)

async function round (t: Test, on: 'embedded' | 'servers'): Promise<void> {
  t.comment(`FUZZ_SEED=${seed}`)
  const { requests, answers, failure } = await fuzzRound(t, { on, seed, requests: on === 'embedded' ? EMBEDDED : REQUESTS - EMBEDDED })
  t.equal(failure, undefined, `${requests} requests; FUZZ_SEED=${seed} sends the same`)
  const codes = new Set([...answers.values()].flatMap(counts => [...counts.keys()].map(answer => answer.split(' ')[1])))
  if (on !== LONG) return
  t.strictSame(REACHED.filter(code => !codes.has(code)), [], 'every common refusal was met')
  const unanswered = [...answers].filter(([, counts]) => ![...counts.keys()].some(answer => answer.startsWith('2'))).map(([name]) => name)
  t.strictSame(unanswered.filter(name => !SELDOM.includes(name)), [],
    'every operation was also asked what it answers')
}

t.test('no request is answered with anything but its answer or a refusal that says why and writes nothing', async t => {
  await round(t, 'embedded')
})

t.test('nor on Postgres and Redis', { skip: missing }, async t => {
  await round(t, 'servers')
})
