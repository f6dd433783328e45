import t from 'tap'
import { openApi } from '../fixtures/api.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { counterRules } from './verify-specification.ts'

const SKIP = { skip: postgresMissing || redisMissing }

t.test('counters beside their events, embedded', async t => await counterRules(t, await openApi(t, { on: 'embedded' })))

t.test('counters beside their events, on servers', SKIP, async t => await counterRules(t, await openApi(t, { on: 'servers' })))
