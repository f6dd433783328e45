import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

/** Section 3 of Kana's contract, row by row: what is refused, in which words, with which code and name; and what is too much. */
const api = await openApi(t)

/** The status is 200, also for errors. */
async function graphql (query: string, variables?: unknown): Promise<Body> {
  const { status, body } = await api.post('/graphql', { query, variables })
  if (status !== 200) throw new Error(`/graphql answered ${status}`)
  return body
}

const CALLS = { 'feature:calls': { tiers: [{ upto: 10 }] } }
await api.push({
  'plan:basic@0': { features: { ...CALLS, 'feature:sso': {} } },
  'plan:other@0': { features: CALLS },
  'plan:boost@0': { addon: true, features: CALLS },
  'plan:elite@0': { addon: true, features: CALLS }
})
await api.post('/v1/plans', { plans: { 'plan:draft@0': { features: CALLS } } })
await api.send({ method: 'PUT', url: '/v1/plans/plan:other@0/addons', payload: { addons: ['plan:elite@0'] } })
for (const id of ['none', 'based']) await graphql('mutation ($id: String!) { createUser(input: { id: $id }) { id } }', { id })
await graphql('mutation { subscribe(userId: "based", packageIds: ["basic"]) { id } }')

interface Row {
  readonly what: string
  readonly query: string
  readonly variables?: unknown
  readonly message: string | RegExp
  readonly code: string
  readonly name?: string
}

const subscribe = (userId: string, ...ids: string[]): string => `mutation { subscribe(userId: "${userId}", packageIds: ${JSON.stringify(ids)}) { id } }`
const record = (args: string): string => `mutation { recordUsage(input: { ${args} }) { recorded reason } }`
const INPUT = 'BAD_USER_INPUT'
const LINK = 'successUrl: "https://example.com/a", cancelUrl: "https://example.com/b"'
const noFeature = { message: 'Feature Id not found for app', code: INPUT, name: 'FeatureNotFoundError' }
const noUser = { message: 'User Id not found for app', code: INPUT, name: 'UserNotFoundError' }
const noPackage = { message: 'Package Id not found for app', code: INPUT, name: 'PackageNotFoundError' }

const ROWS: readonly Row[] = [
  {
    what: 'F1: add-on without live base',
    query: subscribe('none', 'boost'),
    message: 'Cannot subscribe to addon. Missing live tier subscription.',
    code: INPUT,
    name: 'SubscriptionError'
  },
  { what: 'F2: second base package', query: subscribe('based', 'other'), message: 'Cannot subscribe to multiple tiers', code: INPUT, name: 'SubscriptionError' },
  { what: 'F2: two base packages', query: subscribe('none', 'basic', 'other'), message: 'Cannot subscribe to multiple tiers', code: INPUT, name: 'SubscriptionError' },
  { what: 'F3: unknown package', query: subscribe('none', 'nope'), ...noPackage },
  { what: 'F3: a package id that cannot be', query: subscribe('none', 'a b'), ...noPackage },
  { what: 'F4: package not PUBLISHED', query: subscribe('none', 'draft'), ...noPackage },
  { what: 'F3: unknown package, asked for', query: '{ package(id: "nope") { id } }', ...noPackage },
  {
    what: 'F5: add-on not allowed on this base',
    query: subscribe('based', 'elite'),
    message: 'Cannot subscribe to addon. Not available for the live tier.',
    code: INPUT,
    name: 'SubscriptionError'
  },
  { what: 'F6: unknown feature', query: '{ feature(id: "nope") { id } }', ...noFeature },
  { what: 'F6: unknown feature, used', query: record('userId: "based", featureId: "nope"'), ...noFeature },
  { what: 'F6: unknown feature, asked for', query: '{ canUseFeature(userId: "based", featureId: "nope") { access } }', ...noFeature },
  { what: 'F6: unknown feature, shown', query: '{ showUsage(userId: "based", featureId: "a b") { past { periodStart } } }', ...noFeature },
  { what: 'F6: unknown user', query: '{ user(id: "nope") { id } }', ...noUser },
  { what: 'F6: unknown user, using', query: record('userId: "nope", featureId: "calls"'), ...noUser },
  { what: 'F6: unknown user, asked for', query: '{ canUseFeature(userId: "nope", featureId: "calls") { access } }', ...noUser },
  { what: 'F6: unknown user, listed', query: '{ subscriptions(userId: "nope") { id } }', ...noUser },
  { what: 'F6: unknown user, subscribed', query: subscribe('nope', 'basic'), ...noUser },
  {
    what: 'F6: unknown subscription', query: '{ subscription(id: "999") { id } }', message: 'Subscription Id not found for app', code: INPUT, name: 'SubscriptionNotFoundError'
  },
  {
    what: 'F6: a subscription id that cannot be', query: '{ subscription(id: "x") { id } }', message: 'Subscription Id not found for app', code: INPUT, name: 'SubscriptionNotFoundError'
  },
  {
    what: 'F7: bad templateId',
    query: `mutation { generateSubscriptionLink(templateId: "nope", ${LINK}) { url } }`,
    message: 'Billing template Id not found for app',
    code: INPUT,
    name: 'SubscriptionLinkError'
  },
  { what: 'F8: feature id taken', query: 'mutation { createFeature(input: { id: "calls", type: BINARY }) { id } }', message: 'Feature Id already exists for app', code: INPUT },
  {
    what: 'F8: package id taken', query: 'mutation { createPackage(input: { id: "draft", features: { id: "sso" } }) { id } }', message: 'Package Id already exists for app', code: INPUT
  },
  { what: 'F8: user id taken', query: 'mutation { createUser(input: { id: "based" }) { id } }', message: 'User Id already exists for app', code: INPUT },
  { what: 'F8: user id taken by a rename', query: 'mutation { updateUser(id: "none", input: { id: "based" }) { id } }', message: 'User Id already exists for app', code: INPUT },
  {
    what: 'F9: id not a String, as variable',
    query: 'mutation ($input: CreateUsageEventInput!) { recordUsage(input: $input) { recorded } }',
    variables: { input: { userId: 124, featureId: 'calls' } },
    message: 'Variable "$input" got invalid value 124 at "input.userId"; String cannot represent a non string value: 124',
    code: INPUT
  },
  { what: 'F10: id not a String, as literal', query: '{ user(id: 124) { id } }', message: 'String cannot represent a non string value: 124', code: 'GRAPHQL_VALIDATION_FAILED' },
  {
    what: 'F11: missing variable',
    query: 'query ($userId: String!) { subscriptions(userId: $userId) { id } }',
    message: 'Variable "$userId" of required type "String!" was not provided.',
    code: INPUT
  },
  {
    what: 'F12: delta 1.5',
    query: 'query ($d: Int) { canUseFeature(userId: "based", featureId: "calls", delta: $d) { access } }',
    variables: { d: 1.5 },
    message: /Int cannot represent non-integer value: 1.5$/,
    code: INPUT
  },
  { what: 'a negative delta in a question', query: '{ canUseFeature(userId: "based", featureId: "calls", delta: -1) { access } }', message: /negative/, code: INPUT },
  { what: 'S19: SET below 0', query: record('userId: "based", featureId: "calls", delta: -1, action: SET'), message: /must not be negative/, code: INPUT },
  { what: 'F13: syntax error', query: '{ user(id: "1" ', message: /^Syntax Error/, code: 'GRAPHQL_PARSE_FAILED' },
  { what: 'unknown field', query: '{ nope }', message: /Cannot query field "nope"/, code: 'GRAPHQL_VALIDATION_FAILED' },
  { what: 'S6: a status that there is not', query: '{ packages(status: "GONE") { id } }', message: /^status must be one of ALL, /, code: INPUT },
  { what: 'R1: variables that are no object', query: '{ users { id } }', variables: '[1]', message: /^variables must be an object/, code: 'BAD_REQUEST' },
  { what: 'metadata that is no object', query: 'mutation { updatePackage(id: "basic", input: { metadata: 7 }) { id } }', message: 'metadata must be an object', code: INPUT },
  { what: 'email that is none', query: 'mutation { createUser(input: { id: "m", email: "x" }) { id } }', message: 'invalid email', code: INPUT },
  { what: 'text that cannot be stored', query: 'mutation { createUser(input: { id: "a\\u0000" }) { id } }', message: /^User Id must be/, code: INPUT },
  { what: 'such text in metadata', query: 'mutation { createUser(input: { id: "m", metadata: { a: "\\u0000" } }) { id } }', message: /must not contain NUL/, code: INPUT },
  { what: 'a package without features', query: 'mutation { createPackage(input: { id: "e", features: [] }) { id } }', message: /at least one feature/, code: INPUT },
  { what: 'a package of what nobody made', query: 'mutation { createPackage(input: { id: "e", features: { id: "nope" } }) { id } }', ...noFeature },
  {
    what: 'a negative limit',
    query: 'mutation { createPackage(input: { id: "e", features: { id: "calls", entitlement: { limit: -1, resetPeriod: DAY } } }) { id } }',
    message: /must not be negative/,
    code: INPUT
  }
]

for (const { what, query, variables, message, code, name } of ROWS) {
  t.test(what, async t => {
    const before = await api.rows()
    const { data, errors: [error] } = await graphql(query, variables)
    t.ok(Object.values(data ?? {}).every(value => value === null), 'no data')
    if (typeof message === 'string') t.equal(error.message, message)
    else t.match(error.message, message)
    t.strictSame(error.extensions, { code, ...(name !== undefined && { exception: { name, message } }) })
    t.strictSame(await api.rows(), before, 'nothing was written')
  })
}

t.test('E11: errors have the place in the query and in the answer; what went well beside them is there', async t => {
  t.strictSame(await graphql('mutation {\n  recordUsage(input: { userId: "nope", featureId: "calls" }) { recorded }\n}'), {
    errors: [{
      message: 'User Id not found for app',
      locations: [{ line: 2, column: 3 }],
      path: ['recordUsage'],
      extensions: { code: 'BAD_USER_INPUT', exception: { name: 'UserNotFoundError', message: 'User Id not found for app' } }
    }],
    data: { recordUsage: null }
  })
})

t.test('F15: what nobody foresaw says nothing', async t => {
  const { features } = api.stores
  const find = features.find
  Object.assign(features, { find: async () => ({ secret: 'of nobody\'s making' }) })
  const { errors: [{ message, extensions }] } = await graphql('{ feature(id: "calls") { id } }')
  Object.assign(features, { find })
  t.strictSame([message, extensions], ['Internal server error', { code: 'INTERNAL_SERVER_ERROR' }])
})

t.test('what is no request is told how one looks', async t => {
  const send = async (payload: string, headers: Record<string, string> = {}) => (await api.send({ method: 'POST', url: '/graphql', payload, headers })).body.errors[0]
  const json = { 'content-type': 'application/json' }
  for (const body of ['[{"query":"{ __typename }"}]', '{}', '7', '{"query":7}', 'null']) {
    t.match(await send(body, json), { message: /^A request is one operation/, extensions: { code: 'BAD_REQUEST' } }, body)
  }
  t.match(await send('{', json), { message: 'The body is not JSON.' })
  t.match(await send('', json), { message: /^A request is one operation/ })
  const two = { query: 'query a { __typename } query b { __typename }' }
  t.match(await send(JSON.stringify(two)), { message: /^Must provide operation name/, extensions: { code: 'OPERATION_RESOLUTION_FAILURE' } })
  t.match(await send(JSON.stringify({ ...two, operationName: 'c' })), { message: 'Unknown operation named "c".' })
  t.strictSame((await api.post('/graphql', { ...two, operationName: 'b' })).body, { data: { __typename: 'Query' } })
})

t.test('E10, R10: JSON is read whatever the content type says', async t => {
  const payload = '{"query":"{ __typename }"}'
  for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'application/graphql-response+json', undefined]) {
    const { body } = await api.send({ method: 'POST', url: '/graphql', payload, headers: type === undefined ? {} : { 'content-type': type } })
    t.strictSame(body, { data: { __typename: 'Query' } }, String(type))
  }
})

t.test('abuse is refused before it costs anything', async t => {
  const deep = (levels: number): string => `{ ${'a { '.repeat(levels)} a ${'}'.repeat(levels)} }`
  const aliases = (count: number): string => `{ ${Array.from({ length: count }, (_, i) => `a${i}: __typename`).join(' ')} }`
  const wide = `query { ...f ...f } fragment f on Query { ${Array.from({ length: 60 }, (_, i) => `a${i}: __typename`).join(' ')} }`
  const bomb = Array.from({ length: 12 }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(' ')
  const rows: Array<[what: string, query: string, message: RegExp, code: string]> = [
    ['depth 50', deep(50), /nested 51 deep/, 'GRAPHQL_VALIDATION_FAILED'],
    ['200 aliases', aliases(200), /200 fields at its top/, 'GRAPHQL_VALIDATION_FAILED'],
    ['aliases in fragments', wide, /120 fields at its top/, 'GRAPHQL_VALIDATION_FAILED'],
    ['fragments of fragments', `{ ...f0 } ${bomb} fragment f12 on Query { __typename }`, /4096 fields/, 'GRAPHQL_VALIDATION_FAILED'],
    ['fields to compare', `{ packages { ${'a: id '.repeat(989)} a: name } }`, /too many fields under one name/, 'GRAPHQL_VALIDATION_FAILED'],
    ['a fragment that spreads itself', '{ ...f } fragment f on Query { ...f }', /Cannot spread fragment "f" within itself/, 'GRAPHQL_VALIDATION_FAILED'],
    ['10,000 aliases', aliases(10_000), /more that 4000 tokens/, 'GRAPHQL_PARSE_FAILED'],
    ['5 MB', `{ ${'#'.repeat(5_000_000)}\n}`, /at most 262144 bytes/, 'BAD_REQUEST']
  ]
  for (const [what, query, message, code] of rows) t.match((await graphql(query)).errors[0], { message, extensions: { code } }, what)
  const metadata = `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`
  t.match((await graphql('mutation ($m: JSON) { updatePackage(id: "basic", input: { metadata: $m }) { id } }', `{"m":${metadata}}`)).errors[0],
    { message: /nested at most 8 deep/ }, 'deep variables')
  const variables = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`v${i}`, i]))
  t.match((await graphql('{ __typename }', variables)).errors[0], { message: 'A request may have at most 1000 variables.', extensions: { code: 'BAD_REQUEST' } })
})

t.test('E14: the schema can be asked for, and a standard introspection is not too much', async t => {
  const { getIntrospectionQuery } = await import('graphql')
  const { data, errors } = await graphql(getIntrospectionQuery())
  t.equal(errors, undefined)
  t.ok(data.__schema.types.some(({ name }: Body) => name === 'PackageSubscription'))
})

t.end()
