import t from 'tap'
import { type Body, openApi, type Reply } from '../fixtures/api.ts'

const api = await openApi(t)
const live = await api.as('prv_live_0123456789abcdef')
const PRESENT = '2024-01-31T00:00:00.000Z'

const clock = async (body: unknown): Promise<Body> => (await api.post('/v1/clock', body)).body
const read = async (id: string): Promise<Body> => (await api.get('/v1/clock', { id })).body
const newClock = async (): Promise<string> => (await clock({ name: 'n', present: PRESENT })).id

t.test('5 item 4: a clock is made at its time, which any offset may tell, and is ready when it is first asked for', async t => {
  const made = await clock({ name: 'trial', present: '2024-01-31T01:00:00.5+01:00' })
  const present = '2024-01-31T00:00:00.500Z'
  t.strictSame(made, { id: made.id, link: '', present, status: '' })
  t.match(made.id, /^clock-[0-9a-f-]{36}$/)
  t.strictSame(await read(made.id), { id: made.id, link: '', present, status: 'ready' })
  t.not(await newClock(), await newClock(), 'each call makes another one')
  t.match((await clock({ present })).id, /^clock-/, 'a name is not needed')
})

t.test('it moves forward, or stays', async t => {
  const id = await newClock()
  for (const present of ['2024-01-31T00:00:00.001Z', '2024-03-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z', '2099-12-31T00:00:00.000Z']) {
    t.strictSame(await clock({ id, present }), { id, link: '', present, status: '' })
    t.strictSame(await read(id), { id, link: '', present, status: 'ready' })
  }
})

t.test('2.2 clock moving backwards: refused, and it stays where it was', async t => {
  const id = await newClock()
  t.hasStrict(await clock({ id, present: '2024-01-30T23:59:59.999Z' }), {
    status: 400,
    code: 'invalid_request',
    message: `present must not be before ${PRESENT}: a test clock moves forward only`,
    errors: [{ pointer: '/present' }]
  })
  t.equal((await read(id)).present, PRESENT)
})

t.test('of many that advance it at once, the latest time stands', async t => {
  const id = await newClock()
  const days = ['05', '02', '09', '03', '07', '01', '08']
  const answers = await Promise.all(days.map(async day => await clock({ id, present: `2024-02-${day}T00:00:00.000Z` })))
  t.equal((await read(id)).present, '2024-02-09T00:00:00.000Z')
  t.ok(answers.every(({ status, message }) => status === '' || /^present must not be before 2024-02-0[3-9]/.test(message)))
})

t.test('2.2 clock with a bad present, or whatever makes no sense: refused, naming the field, and makes nothing', async t => {
  const id = await newClock()
  const before = await api.rows()
  const refused = async (body: unknown, pointer: string, message: string): Promise<boolean> =>
    t.hasStrict(await clock(body), { status: 400, code: 'invalid_request', message, errors: [{ pointer }] }, JSON.stringify(body))
  for (const target of [{ name: 'n' }, { id }]) {
    const form = 'present must be an RFC 3339 time such as 2026-01-31T12:00:00Z'
    for (const present of ['', 'noon', '2024-01-31', '2023-02-29T00:00:00Z', '1706659200', '2024-01-31T00:00:00']) {
      await refused({ ...target, present }, '/present', form)
    }
    for (const present of [undefined, null, '0001-01-01T00:00:00Z']) await refused({ ...target, present }, '/present', 'present is required')
    await refused({ ...target, present: 1706659200 }, '/present', 'present must be string or null')
    await refused({ ...target, present: '1969-12-31T23:59:59Z' }, '/present', 'present must not be before 1970-01-01T00:00:00Z')
    await refused({ ...target, present: PRESENT, at: PRESENT }, '/at', 'unknown field "at"')
  }
  await refused({ id, name: 'n', present: PRESENT }, '/name', 'send id to advance a clock, or name to make one')
  await refused({ name: 1, present: PRESENT }, '/name', 'name must be string')
  await refused({ id: ['x'], present: PRESENT }, '/id', 'id must be string')
  await refused([], '', 'the body must be object')
  t.strictSame(await api.rows(), before)
})

t.test('names are taken in capital letters, too, as Tier\'s Go client sends them', async t => {
  const { id } = await clock({ ID: '', Name: 'n', Present: PRESENT })
  t.strictSame(await clock({ ID: id, Name: '', Present: '2024-02-01T00:00:00Z' }), { id, link: '', present: '2024-02-01T00:00:00.000Z', status: '' })
  t.hasStrict(await clock({ Constructor: 1, Present: PRESENT }), { status: 400, errors: [{ pointer: '/Constructor' }] })
})

t.test('2.2 clock of an unknown id: not found, and one of another environment does not exist', async t => {
  const id = await newClock()
  const unknown = 'clock-00000000-0000-4000-8000-000000000000'
  t.hasStrict(await read(unknown), {
    status: 400, code: 'clock_not_found', message: `there is no test clock ${unknown} in this environment`, errors: [{ pointer: '?id' }]
  })
  t.hasStrict(await clock({ id: unknown, present: PRESENT }), { status: 400, code: 'clock_not_found', errors: [{ pointer: '/id' }] })
  for (const strange of ['x y', '\u0000', '\ud800', '*', 'CLOCK', `clock-${'a'.repeat(100)}`, "';--"]) {
    const refused = { status: 400, code: 'clock_not_found', message: 'there is no such test clock in this environment' }
    t.hasStrict(await clock({ id: strange, present: PRESENT }), refused, JSON.stringify(strange))
    t.hasStrict(await read(strange), refused)
  }
  for (const environment of ['test', 'live']) t.hasStrict(await read(environment), { code: 'clock_not_found' }, 'an environment is no clock')
  t.hasStrict((await live.get('/v1/clock', { id })).body, { code: 'clock_not_found' })
  t.hasStrict((await live.post('/v1/clock', { id, present: '2030-01-01T00:00:00Z' })).body, { code: 'clock_not_found' })
  t.equal((await read(id)).present, PRESENT)
  t.hasStrict((await api.get('/v1/clock')).body, { status: 400, message: 'id is required', errors: [{ pointer: '?id' }] })
  t.hasStrict((await api.get('/v1/clock', { id: '' })).body, { status: 400, code: 'clock_not_found' })
})

t.test('2.1 method_not_allowed: a clock answers GET and POST, and says so to others, whatever they send', async t => {
  const other = async (method: 'PUT' | 'PATCH' | 'DELETE', payload: string): Promise<Reply> =>
    await api.send({ method, url: '/v1/clock', payload, headers: { 'content-type': 'application/json' } })
  for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
    for (const payload of ['', '{', JSON.stringify({ name: 'n', present: PRESENT })]) {
      const { body, headers } = await other(method, payload)
      t.hasStrict(body, { status: 405, code: 'method_not_allowed', message: 'Method Not Allowed' }, method)
      t.equal(headers.allow, 'GET, POST')
    }
  }
})

t.test('an environment has so many clocks and no more', async t => {
  const crowded = await api.as('prv_crowded_0123456789abcdef')
  await api.database.run([{
    text: "insert into environments (name, parent, fixed_now) select 'clock-' || n, 'crowded', now() from generate_series(1, 9999) n", params: []
  }])
  const add = async (): Promise<Body> => (await crowded.post('/v1/clock', { name: 'n', present: PRESENT })).body
  const { id } = await add()
  t.match(id, /^clock-/)
  t.hasStrict(await add(), {
    status: 400,
    code: 'invalid_request',
    message: 'environment crowded has 10000 test clocks, as many as it may have; delete some, or wait until unused ones expire'
  })
  t.equal((await crowded.post('/v1/clock', { id, present: '2024-02-01T00:00:00Z' })).status, 200, 'those there are go on')
  t.match(await newClock(), /^clock-/, 'and others have theirs')
})

t.test('a key that opens a clock makes no clocks of that clock', async t => {
  const inside = await api.as(`prv_${await newClock()}_0123456789abcdef`)
  t.hasStrict((await inside.post('/v1/clock', { name: 'n', present: PRESENT })).body, {
    status: 400, code: 'invalid_request', message: 'a test clock cannot have test clocks of its own'
  })
})

t.end()
