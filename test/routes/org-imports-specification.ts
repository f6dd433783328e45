import fc from 'fast-check'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { purgeDeletedOrgs } from '../../src/background/deleted-orgs.ts'
import { applyOrgImports, sweepOrgImports } from '../../src/background/org-imports.ts'
import type { Api, Body } from '../fixtures/api.ts'
import { sized } from '../fixtures/size.ts'

const CSV = 'text/csv; charset=utf-8'
const HOUR_MS = 3_600_000
/** Rows; a page has 500. */
const MANY = sized(1_200, 3_000)

/** What files of orgs promise, whatever stores are underneath. */
export async function orgImportSpecification (t: Test, api: Api): Promise<void> {
  const send = async (file: string | Buffer, atomic = false, type = CSV): Promise<Body> => (await api.send({
    method: 'POST', url: `/v1/org-imports${atomic ? '?atomic=true' : ''}`, headers: { 'content-type': type }, payload: file
  })).body
  const read = async (id: string): Promise<Body> => (await api.get(`/v1/org-imports/${id}`)).body
  /** Sent, and applied to its end. */
  const load = async (file: string | Buffer, atomic = false): Promise<Body> => {
    const { id } = await send(file, atomic)
    await applyOrgImports(api.stores)
    return await read(id)
  }
  const infoOf = async (org: string): Promise<Body> => (await api.get(`/v1/orgs/${encodeURIComponent(org)}`)).body.info
  const exported = async (): Promise<string> => (await api.get('/v1/orgs.csv')).raw
  const all = async (): Promise<number> => (await api.rows()).orgs ?? 0

  await t.test('creates orgs, and changes what is known of those there are; the same file again changes nothing', async t => {
    await api.post('/v1/subscribe', { org: 'org:there', info: { name: 'There', email: 'old@there.example', phone: '1' } })
    const file = 'org,name,email,billingId,metadata\norg:there,,new@there.example,cus_1,\norg:new,New,,,"{""a"":[1]}"\n'
    t.hasStrict(await load(file), { state: 'done', received: 2, applied: 2, created: 1, changed: 1, refused: 0, problems: [] })
    t.strictSame(await infoOf('org:there'), { email: 'new@there.example', billingId: 'cus_1', phone: '1' }, 'an empty cell forgets, and what has no column stays')
    t.strictSame(await infoOf('org:new'), { name: 'New', metadata: { a: [1] } })
    t.hasStrict(await load(file), { state: 'done', received: 2, applied: 2, created: 0, changed: 0 })
  })

  await t.test('quotes, line breaks in cells, CRLF, CR, a byte order mark, blank lines, columns in any order, and Kana\'s ids', async t => {
    t.hasStrict(await load('\uFEFFname,id\r\n\r\n"Quoted ""Q"", and a comma",q1\r\n"two\r\nlines",q2\r\n'), { created: 2, refused: 0 })
    t.strictSame([await infoOf('org:q1'), await infoOf('org:q2')], [{ name: 'Quoted "Q", and a comma' }, { name: 'two\nlines' }])
    t.hasStrict(await load('org,name\rorg:old-mac,Mac\r'), { created: 1 })
    t.hasStrict(await load('org,name\norg:no-last-break,No'), { created: 1 })
    t.hasStrict(await load('org\n'), { state: 'done', received: 0 })
  })

  const bad = 'org,name,email,metadata\n' +
    'org:ok-1,"a\nb",,\n' +
    'org:bad-email,,nonsense,\n' +
    'nobody,,,\n' +
    'org:short,x\n' +
    'org:no-json,,,[1]\n' +
    'org:ok-1,again,,\n' +
    'org:ok-2,\u00FC,,\n'
  const problems = [
    { line: 4, column: 'email', detail: 'invalid email' },
    { line: 5, column: 'org', detail: 'org must be prefixed with "org:"' },
    { line: 6, column: null, detail: 'has 2 cells, and line 1 names 4 columns' },
    { line: 7, column: 'metadata', detail: 'metadata must be a JSON object' },
    { line: 8, column: 'org', detail: 'is on line 2 already' }
  ]

  await t.test('rows that are not right are named by line and column, and the others imported', async t => {
    t.hasStrict(await load(bad), { state: 'done', received: 7, applied: 2, created: 2, refused: 5, problems })
  })

  await t.test('with atomic=true one of them refuses the file', async t => {
    const before = await all()
    const refused = await send(bad.replaceAll('ok-', 'atomic-'), true)
    t.hasStrict(refused, { status: 400, code: 'invalid_request', message: 'line 4, column email: invalid email; 5 rows in all, and nothing was imported' })
    t.strictSame((refused.errors as Body[]).map(({ pointer }) => pointer), ['/4/email', '/5/org', '/6', '/7/metadata', '/8/org'])
    t.hasStrict(await read(refused.id), { state: 'refused', atomic: true, received: 7, refused: 5, applied: 0, problems })
    await applyOrgImports(api.stores)
    await sweepOrgImports(api.stores, Date.now())
    t.equal(await all(), before)
    t.equal(await rowsLeft(), 0, 'nothing is kept of it')
    t.hasStrict(await load('org,name\norg:atomic-1,x\norg:atomic-2,y\n', true), { state: 'done', created: 2 })
  })

  await t.test('a file that cannot be read is refused where it stops, and nothing of it is imported', async t => {
    const before = await all()
    for (const [file, pointer, message] of [
      ['', '', 'the file is empty: its first line must name the columns'],
      ['name\nx\n', '/1/org', 'line 1 must name the columns, and one of them must be org, or id for org without its prefix'],
      ['org,id\nx,y\n', '/1/org', 'line 1 must name the columns, and one of them must be org, or id for org without its prefix'],
      ['org,plan\nx,y\n', '/1/plan', 'line 1 has a column "plan"; there are org, name, email, billingId, description, phone, metadata, and id for org without its prefix'],
      ['org,org\nx,y\n', '/1/org', 'line 1 has the column "org" twice'],
      ['org,name\norg:a,x\norg:b,"open\n', '/3', 'line 3, cell 2: a quote is opened and never closed'],
      ['org,name\norg:a,x"y"\n', '/2', 'line 2, cell 2: a quote in the middle of a cell: quote the whole cell, and write it twice'],
      ['org,name\norg:a,"x"y\n', '/2', 'line 2, cell 2: after a closing quote a comma or the end of the line must come'],
      [`org,name\norg:a,${'x'.repeat(70_000)}\n`, '/2', 'line 2: a line must be at most 65536 characters']
    ] as const) t.hasStrict(await send(file), { status: 400, message, errors: [{ pointer }] }, message)
    t.hasStrict(await send(Buffer.from([0x6f, 0x72, 0x67, 0x0a, 0xff, 0xfe])), { status: 400, message: 'the file is not UTF-8' })
    t.hasStrict(await send('{}', false, 'application/json'), { status: 415, message: 'the content type must be text/csv' })
    await applyOrgImports(api.stores)
    t.equal(await all(), before)
  })

  await t.test('an org that is merged into another before its row is applied does not come back to life', async t => {
    for (const org of ['org:merged-kept', 'org:merged-old']) await api.post('/v1/subscribe', { org, info: { name: org } })
    const { id } = await send('org,name\norg:merged-old,Again\norg:merged-new,New\n')
    await api.post('/v1/orgs/org:merged-kept/merge', { from: 'org:merged-old' })
    await applyOrgImports(api.stores)
    t.hasStrict(await read(id), {
      state: 'done', received: 2, applied: 1, created: 1, refused: 1, problems: [{ line: 2, column: 'org', detail: 'was merged into org:merged-kept' }]
    })
    t.hasStrict((await api.get('/v1/orgs/org:merged-old')).body, { org: 'org:merged-kept', info: { name: 'org:merged-kept' } })
    await purgeDeletedOrgs(api.stores)
  })

  await t.test('a file that was given up on its way in stays refused, whatever arrives after', async t => {
    const { orgImports } = api.stores
    const id = uuidv7()
    const row = (org: string, line: number) => ({ org, line, change: { name: 'Late' } })
    await orgImports.begin(id, 'test', false, 10)
    await orgImports.receive(id, [row('org:late-1', 2)], [])
    await sweepOrgImports(api.stores, Date.now() + HOUR_MS)
    await orgImports.receive(id, [row('org:late-2', 3)], [])
    t.hasStrict(await orgImports.received(id), { state: 'refused', problems: [{ detail: 'the file did not arrive whole' }] })
    await applyOrgImports(api.stores)
    t.equal((await api.get('/v1/orgs/org:late-2')).status, 404, 'half of a file is none of it')
    await sweepOrgImports(api.stores, Date.now())
    t.equal(await rowsLeft(), 0)
  })

  await t.test('hostile cells are refused by line and column', async t => {
    const lines = ['org:a\u0000b,x', 'org:a,x\u0000', `org:${'x'.repeat(256)},`, 'org: a,', `org:long,${'x'.repeat(1_001)}`]
    const { problems, created } = await load(`org,name\n${lines.join('\n')}\n`)
    t.strictSame((problems as Body[]).map(({ line, column }) => [line, column]), [[2, 'org'], [3, 'name'], [4, 'org'], [5, 'org'], [6, 'name']])
    t.equal(created, 0)
  })

  await t.test('more rows than a page has are applied page by page, which whoever asks can follow, and whoever is killed leaves to others', async t => {
    const lines = Array.from({ length: MANY }, (_, i) => `org:many-${i},Name ${i},many${i}@example.com,cus_${i}`)
    const { id, ...begun } = await send(`org,name,email,billingId\n${lines.join('\n')}\n`)
    t.hasStrict(begun, { state: 'applying', received: MANY, applied: 0, refused: 0 })
    t.equal(await api.stores.orgImports.applyPage(), true)
    t.hasStrict(await read(id), { state: 'applying', applied: 500, created: 500 })
    await applyOrgImports(api.stores, AbortSignal.abort())
    t.hasStrict(await read(id), { applied: 500 }, 'a job that is told to stop stops between two pages')
    await Promise.all([applyOrgImports(api.stores), applyOrgImports(api.stores)])
    t.hasStrict(await read(id), { state: 'done', applied: MANY, created: MANY, changed: 0 }, 'two at once apply each page once')
    t.equal(await api.stores.orgImports.applyPage(), false, 'nothing is left to do')
    t.strictSame(await infoOf(`org:many-${MANY - 1}`), {
      name: `Name ${MANY - 1}`, email: `many${MANY - 1}@example.com`, billingId: `cus_${MANY - 1}`
    })
    t.hasStrict((await api.get('/v1/org-imports', { limit: '1' })).body, { imports: [{ id, state: 'done' }] }, 'the latest first')
  })

  await t.test('what is exported is what is imported: the same file changes nothing', async t => {
    const { id } = await send(await exported())
    await applyOrgImports(api.stores)
    t.hasStrict(await read(id), { state: 'done', received: await all(), applied: await all(), created: 0, changed: 0, refused: 0 })
  })

  await t.test('nothing that is exported is a formula to a spreadsheet, and each text comes back as it was', async t => {
    const texts = ['=1+1', '+1', '-1', '@x', "'=x", "''=x", "'x", '\t=x', '＝x']
    const lines = texts.map((_text, i) => `org:formula-${i},x`)
    await load(`org,name\n${lines.join('\n')}\n`)
    for (const [i, name] of texts.entries()) await api.post('/v1/subscribe', { org: `org:formula-${i}`, info: { name } })
    const file = await exported()
    t.notMatch(file, /(^|,)"?[=+@\t＝-]/m)
    t.hasStrict(await load(file), { changed: 0, refused: 0 })
    for (const [i, name] of texts.entries()) t.strictSame(await infoOf(`org:formula-${i}`), { name })
  })

  await t.test('any profile survives the way out and in again', async t => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(text => !/[\0\r]/.test(text))
    const metadata = fc.dictionary(text, text, { minKeys: 1, maxKeys: 3 })
    const profiles = fc.sample(fc.record({ name: text, description: text, billingId: text, metadata }), 40)
    await api.database.run(profiles.map((info, i) => ({
      text: "insert into orgs (environment, name, info) values ('test', $1, $2::jsonb)", params: [`org:any-${i}`, JSON.stringify(info)]
    })))
    t.hasStrict(await load(await exported()), { created: 0, changed: 0, refused: 0, problems: [] })
  })

  await t.test('a file that broke off is given up, and an import of long ago forgotten', async t => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8057'
    await api.stores.orgImports.begin(id, 'test', false, 10)
    await api.stores.orgImports.receive(id, [{ line: 2, org: 'org:broken', change: {} }], [])
    await sweepOrgImports(api.stores, Date.now())
    t.hasStrict(await read(id), { state: 'receiving', received: 1 })
    await sweepOrgImports(api.stores, Date.now() + HOUR_MS)
    t.hasStrict(await read(id), { state: 'refused', problems: [{ line: null, column: null, detail: 'the file did not arrive whole' }] })
    t.equal(await rowsLeft(), 0)
    await sweepOrgImports(api.stores, Date.now() + 31 * 24 * HOUR_MS)
    t.hasStrict(await read(id), { status: 404, code: 'not_found' })
    t.hasStrict(await read('nonsense'), { status: 404, code: 'not_found' })
  })

  await t.test('another environment sees nothing of it', async t => {
    const { id } = await send('org\norg:here\n')
    const other = await api.as('prv_elsewhere_0123456789abcdef')
    t.equal((await other.get(`/v1/org-imports/${id}`)).status, 404)
    t.strictSame((await other.get('/v1/org-imports')).body.imports, [])
    t.equal((await other.get('/v1/orgs.csv')).raw, 'org,name,email,billingId,description,phone,metadata\n')
    await applyOrgImports(api.stores)
  })

  await t.test('only so many wait at once', async t => {
    const sent = []
    for (let i = 0; i < 11; i += 1) sent.push(await send('org\norg:here\n'))
    t.strictSame(sent.map(({ state, code }) => state ?? code), [...Array.from({ length: 10 }, () => 'applying'), 'overloaded'])
    await applyOrgImports(api.stores)
  })

  async function rowsLeft (): Promise<number> {
    const [result] = await api.database.run([{ text: 'select count(*)::int from org_import_rows', params: [] }])
    return result?.rows[0]?.[0] as number
  }
}
