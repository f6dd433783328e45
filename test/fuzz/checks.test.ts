import t from 'tap'
import { BEGIN, COMMIT } from '../../src/storage/database.ts'
import { openApi } from '../fixtures/api.ts'
import type { Operation } from '../fixtures/operations.ts'
import { wrongWith } from './answer-checks.ts'
import { type CountedDatabase, countedDatabase } from './counted-database.ts'
import { curlOf, type Sent, sendable } from './sending.ts'
import { differences, tableChecksums } from './table-checksums.ts'
import { changed, jsonOf, jsonText, placesIn, urlText } from './value.ts'

const OPERATION: Operation = { name: 'post /v1/report', method: 'POST', path: '/v1/report', parameters: [{ name: 'org', in: 'query' }], body: {}, file: undefined }
const SENT: Sent = { method: 'POST', url: '/v1/report?a%2Fb=1', headers: { accept: '*/*' }, payload: Buffer.from('{"n":{"x":[1]},"z":null}'), queried: ['a/b'] }
const PROBLEM = {
  type: 'urn:tollgate:error:invalid_request', title: 'The request is not valid', status: 400, detail: 'no', code: 'invalid_request', message: 'no'
}

function judged (status: number, body: object, type = 'application/problem+json'): string | undefined {
  return wrongWith(SENT, { status, headers: { 'content-type': type }, raw: '', body }, OPERATION.parameters)
}

t.test('an answer is right if it is 2xx, or says why it is not and where', async t => {
  const at = (...pointers: string[]): object => ({ ...PROBLEM, errors: pointers.map(pointer => ({ pointer, detail: 'no' })) })
  t.equal(judged(200, {}, 'application/json'), undefined)
  for (const pointer of ['', '/n', '/n/x/0', '/missing', '/n/missing', '/z/missing', '?a~1b', '?org', '?org/1', 'accept']) {
    t.equal(judged(400, at(pointer)), undefined, pointer)
  }
  t.equal(judged(400, at('/n/x/0', '/n/x/0/deeper')), undefined, 'a part of what is wrong as a whole')
  t.equal(judged(400, { ...PROBLEM, detail: 'invalid json syntax', message: 'invalid json syntax' }), undefined, 'nothing to point at')
  for (const pointer of ['/n/x/0/deeper', '/missing/deeper', '?other', 'cookie', 'n']) t.match(judged(400, at(pointer)), 'points at nothing', pointer)
  t.match(judged(400, PROBLEM), 'names no field')
  t.match(judged(500, PROBLEM), 'answers 500')
  t.match(judged(302, {}), 'answers 302')
  t.match(judged(400, at('/n'), 'application/json'), 'content type')
  t.match(judged(400, { ...at('/n'), stack: 'x' }), 'has the members')
  for (const member of ['type', 'title', 'detail', 'code', 'message']) {
    t.ok(judged(400, { ...at('/n'), [member]: undefined }), `without ${member}`)
    t.ok(judged(400, { ...at('/n'), [member]: 'toString' }), `another ${member}`)
  }
  t.match(judged(404, { ...PROBLEM, status: 404 }), 'do not belong together')
})

t.test('no row changes unseen, but for the last use of a key', async t => {
  const { database } = await openApi(t)
  const ask = async (text: string): Promise<void> => { await database.run([{ text, params: [] }]) }
  const tables = await tableChecksums(database)
  await ask(`insert into keys (id, environment, name, kind, scopes, prefix, digest)
    values ('00000000-0000-4000-8000-000000000000', 'test', 'k', 'private', '{read}', 'prv', 'd')`)
  const steps: Array<[statement: string, changed: string[]]> = [
    ['select 1', []],
    ["insert into features (environment, name) values ('test', 'feature:a'), ('test', 'feature:b')", ['features']],
    ["update features set name = 'feature:c' where name = 'feature:a'", ['features']],
    ["delete from features where name = 'feature:b'", ['features']],
    ["update environments set default_plan = 'plan:x@0'", ['environments']],
    ['update keys set last_used_at = now()', []],
    ['update keys set revoked_at = now()', ['keys']]
  ]
  for (const [statement, tablesChanged] of steps) {
    const before = await tables.read()
    await ask(statement)
    t.strictSame(differences(before, await tables.read()), tablesChanged, statement)
    if (tablesChanged.length > 0) t.not(await tables.logEnd(), before.logEnd, 'and the log of writes has moved')
  }
})

t.test('nobody writes without having been seen to ask', async t => {
  let counted: CountedDatabase | undefined
  const api = await openApi(t, { through: database => (counted = countedDatabase(database)).database })
  const { database, asked } = counted as unknown as CountedDatabase
  const asks = async (work: () => Promise<unknown>): Promise<number> => {
    const before = asked()
    await work()
    return asked() - before
  }
  const write = { text: "update environments set default_plan = 'plan:x@0'", params: [] }
  t.ok(await asks(async () => await database.run([write])) > 0)
  t.ok(await asks(async () => await database.transaction(async session => await session.run([write]))) > 2, 'also within a transaction')
  const lane = database.lane()
  t.ok(await asks(async () => await lane.run([BEGIN, write, COMMIT])) > 0)
  t.ok(await asks(async () => await lane.close()) > 0)
  t.ok(await asks(async () => await api.push({ 'plan:free@0': { features: { 'feature:api-calls': {} } } })) > 0)
  t.equal(await asks(async () => await api.post('/v1/push', '{')), 0, 'what is refused at the door does not ask')
})

t.test('what cannot be said in JavaScript can be sent', async t => {
  const lookup = (): string => 'org:acme'
  const body = jsonOf({ a: [1, 'x'], b: null })
  const change = { name: '__proto__', value: { raw: '1e400' } } as const
  t.equal(placesIn(body), 5)
  const all = (does: 'replace' | 'drop' | 'repeat' | 'rename' | 'add'): string[] =>
    [0, 1, 2, 3, 4].map(at => jsonText(changed(body, at, { ...change, does }), lookup))
  t.strictSame(all('replace'), ['1e400', '{"a":1e400,"b":null}', '{"a":[1e400,"x"],"b":null}', '{"a":[1,1e400],"b":null}', '{"a":[1,"x"],"b":1e400}'])
  t.strictSame(all('drop').slice(1), ['{"b":null}', '{"a":["x"],"b":null}', '{"a":[1],"b":null}', '{"a":[1,"x"]}'])
  t.equal(all('repeat')[1], '{"a":[1,"x"],"a":1e400,"b":null}')
  t.equal(all('rename')[4], '{"a":[1,"x"],"__proto__":null}')
  t.strictSame(all('add').slice(0, 2), ['{"a":[1,"x"],"b":null,"__proto__":1e400}', '{"a":[1,"x",1e400],"b":null}'])
  t.equal(urlText('a/\ud800é🎉', lookup), 'a%2F%ED%A0%80%C3%A9%F0%9F%8E%89')
  const sent = sendable({
    operation: 'x',
    method: 'POST',
    template: '/v1/x/{id}',
    path: { id: 'a/b' },
    query: [['org', { seed: 'org', pick: 1 }]],
    headers: [],
    body,
    contentType: 'application/json',
    keyed: false,
    damage: [
      { to: 'query', at: 0, does: 'repeat', pair: ['', { encoded: '%zz' }] },
      { to: 'text', at: 500, tail: "'" },
      { to: 'bytes', at: 0 }
    ]
  }, lookup)
  t.equal(curlOf(sent), "curl -g --path-as-is -X POST 'localhost:8080/v1/x/a%2Fb?org=org%3Aacme&org=%zz' -H 'content-type: application/json' " +
    "--data-binary $'\\xc3(\\xff{\"a\":[1,\"x\"\\x27'")
})
