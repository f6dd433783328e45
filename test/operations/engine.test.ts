import { test } from 'tap'
import { openApi } from '../fixtures/api.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { engineSpecification } from './engine-specification.ts'

test('the engine on its embedded ledger', async t => await engineSpecification(t, await openApi(t, { on: 'embedded' })))

test('the engine on Postgres and Redis', { skip: postgresMissing || redisMissing }, async t => {
  const api = await openApi(t, { on: 'servers' })
  await engineSpecification(t, api)
  const metrics = await api.metrics.registry.metrics()
  t.match(metrics, /tollgate_mirror_reads_total\{result="hit"\} [1-9]/, 'some verdicts came from Redis')
})
