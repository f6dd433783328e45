import { type DocumentNode, parse, print, validate } from 'graphql'
import t from 'tap'
import { adminSchema } from '../../src/kana/admin-schema.ts'
import { documentsOf } from '../../src/kana/documents.ts'
import { looseVariables } from '../../src/kana/loose-ints.ts'
import {
  idFromVariables, looseInts, optionalUserId, pluralNames, type Rule, RULES, textVariables, tokenSelection, unwrappedData, userInputType,
  wrappedKeys
} from '../../src/kana/tolerance.ts'
import { documented } from './documented.ts'

/** Each rule of the contract: what it makes of what Kana's documents print, and what it leaves alone. */
interface Case {
  readonly rule: Rule
  readonly what: string
  readonly sent?: object
  readonly printed: string
  readonly becomes: string
  /** Correct, or wrong in a way that no document prints: the very same document comes back. */
  readonly untouched: ReadonlyArray<readonly [query: string, sent?: object]>
}

const CASES: readonly Case[] = [
  {
    rule: optionalUserId,
    what: 'R2: users(id:) without its variable lists all',
    printed: 'query listUsers($id: String!) { users(id: $id) { id } }',
    becomes: 'query listUsers($id: String) { users(id: $id) { id } }',
    untouched: [
      ['query ($id: String!) { users(id: $id) { id } }', { id: '124' }],
      ['query ($id: String) { users(id: $id) { id } }'],
      ['query ($userId: String!) { subscriptions(userId: $userId) { id } }'],
      ['query ($id: String!) { user(id: $id) { id } }']
    ]
  },
  {
    rule: pluralNames,
    what: 'R3: package(status:) and subscription(userId:) are the lists',
    printed: '{ package(status: "ALL") { id } mine: subscription(userId: "124") { id } }',
    becomes: '{ packages(status: "ALL") { id } mine: subscriptions(userId: "124") { id } }',
    untouched: [
      ['{ package(id: "pro") { id } subscription(id: "2") { id } }'],
      ['{ packages(status: "ALL") { id } subscriptions(userId: "124") { id } }'],
      ['{ package(id: "pro", status: "ALL") { id } }'],
      ['{ package { id } }']
    ]
  },
  {
    rule: unwrappedData,
    what: 'R4: a lone data { } goes',
    printed: '{ canUseFeature(userId: "124", featureId: "calls") { data { access reason } } }',
    becomes: '{ canUseFeature(userId: "124", featureId: "calls") { access reason } }',
    untouched: [
      ['{ canUseFeature(userId: "124", featureId: "calls") { access } }'],
      ['{ canUseFeature(userId: "124", featureId: "calls") { access data { reason } } }'],
      ['{ canUseFeature(userId: "124", featureId: "calls") { given: data { reason } } }'],
      ['{ canUseFeature(userId: "124", featureId: "calls") { data } }'],
      ['{ package(id: "pro") { features { data { id } } } }']
    ]
  },
  {
    rule: idFromVariables,
    what: 'R5: updateFeature and updatePackage take the id from the variables',
    sent: { id: 'calls', input: {} },
    printed: 'mutation updateFeature($input: UpdateFeatureInput!) { updateFeature(input: $input) { id } }',
    becomes: 'mutation updateFeature($id: String!, $input: UpdateFeatureInput!) { updateFeature(id: $id, input: $input) { id } }',
    untouched: [
      ['mutation ($id: String!, $input: UpdateFeatureInput!) { updateFeature(id: $id, input: $input) { id } }', { id: 'calls', input: {} }],
      ['mutation ($input: UpdatePackageInput!) { updatePackage(id: "pro", input: $input) { id } }', { id: 'other', input: {} }],
      ['mutation ($input: UpdatePackageInput!) { updatePackage(input: $input) { id } }', { input: {} }],
      ['mutation ($input: UpdatePackageInput!) { updatePackage(input: $input) { id } }', { id: 7, input: {} }],
      ['mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id } }', { id: '124', input: {} }]
    ]
  },
  {
    rule: tokenSelection,
    what: 'R6: generateUserToken without a selection is answered with the token',
    printed: 'mutation { generateUserToken(userId: "124") }',
    becomes: 'mutation { generateUserToken(userId: "124") { token } }',
    untouched: [
      ['mutation { generateUserToken(userId: "124") { token } }'],
      ['mutation { createUser(input: { id: "124" }) }'],
      ['{ generateUserToken(userId: "124") }']
    ]
  },
  {
    rule: userInputType,
    what: 'R7: updateUser takes an input that is declared as that of createUser',
    printed: 'mutation ($id: String!, $input: CreateUserInput!) { updateUser(id: $id, input: $input) { id } }',
    becomes: 'mutation ($id: String!, $input: UpdateUserInput!) { updateUser(id: $id, input: $input) { id } }',
    untouched: [
      ['mutation ($id: String!, $input: UpdateUserInput!) { updateUser(id: $id, input: $input) { id } }'],
      ['mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }'],
      ['mutation ($id: String!, $input: UpdateFeatureInput!) { updateUser(id: $id, input: $input) { id } }'],
      ['mutation ($input: CreateUserInput!) { createUser(input: $input) { id } updateUser(id: "1", input: $input) { id } }'],
      ['mutation ($input: CreatePackageInput!) { createPackage(input: $input) { id } }']
    ]
  },
  {
    rule: looseInts,
    what: 'R8: digits in a text are a number where an Int belongs',
    printed: '{ canUseFeature(userId: "124", featureId: "7", delta: "1") { access } }',
    becomes: '{ canUseFeature(userId: "124", featureId: "7", delta: 1) { access } }',
    untouched: [
      ['{ canUseFeature(userId: "124", featureId: "7", delta: 1) { access } }'],
      ['{ canUseFeature(userId: 124, featureId: "7") { access } }'],
      ['{ canUseFeature(userId: "124", featureId: "7", delta: "1.5") { access } }'],
      ['{ canUseFeature(userId: "124", featureId: "7", delta: "one") { access } }'],
      ['{ canUseFeature(userId: "124", featureId: "7", delta: "99999999999999999999") { access } }']
    ]
  }
]

const sentBy = (sent: object = {}) => ({ names: new Set(Object.keys(sent)), hasTextId: typeof (sent as { id?: unknown }).id === 'string' })
const isValid = (document: DocumentNode): boolean => validate(adminSchema, document).length === 0
const rewritten = (document: DocumentNode, sent: object = {}): DocumentNode =>
  RULES.reduce((changed, rule) => rule(changed, sentBy(sent), adminSchema), document)

for (const { rule, what, sent, printed, becomes, untouched } of CASES) {
  t.test(what, async t => {
    const changed = rule(parse(printed), sentBy(sent), adminSchema)
    t.equal(print(changed), print(parse(becomes)))
    t.ok(isValid(changed), 'and that is valid')
    for (const [query, sent] of untouched) {
      const document = parse(query)
      t.equal(rule(document, sentBy(sent), adminSchema), document, query)
    }
  })
}

t.test('R1: variables as JSON in a text are read, and what is no object is refused', async t => {
  t.strictSame(textVariables('{ "input": { "id": "124" } }'), { input: { id: '124' } })
  const sent = { id: '124' }
  t.equal(textVariables(sent), sent)
  for (const nothing of [undefined, null, '', ' ', 'null', '{}']) t.strictSame(textVariables(nothing), {})
  for (const wrong of ['{', '[]', '1', '"x"', [], 1, true]) {
    t.throws(() => textVariables(wrong), { message: /^variables must be an object/, extensions: { code: 'BAD_REQUEST' } }, JSON.stringify(wrong))
  }
})

t.test('R4: an object is shown under data as well', async t => {
  const keys = (query: string) => [...wrappedKeys(parse(query), sentBy(), adminSchema)]
  t.strictSame(keys('query a { canUseFeature { data { access } } user { id } mine: user { data { id } } }'), [['a', ['canUseFeature', 'mine']]])
  t.strictSame(keys('{ package(status: "ALL") { data { id } } }'), [[undefined, ['packages']]], 'under the name that R3 gave it')
})

t.test('R8, R9: variables as well, as deep as they go, and ids never', async t => {
  const [operation] = parse(`query ($delta: Int, $id: String, $package: CreatePackageInput, $many: [Int!]) {
    canUseFeature(userId: $id, featureId: "x", delta: $delta) { access } }`).definitions
  const loose = looseVariables(operation as never, adminSchema)
  t.strictSame([...loose.keys()], ['delta', 'package', 'many'])
  const become = (name: string, value: unknown) => loose.get(name)?.(value)
  t.strictSame(['1', '-8', '1.5', '', 'x', 7, null].map(value => become('delta', value)), [1, -8, '1.5', '', 'x', 7, null])
  t.strictSame(become('many', ['1', 2]), [1, 2])
  t.strictSame(become('many', '1'), 1)
  const entitlement = { resetPeriod: 'MONTH', limit: '500' }
  t.strictSame(become('package', { id: '1', name: '2', features: [{ id: '3', entitlement }] }),
    { id: '1', name: '2', features: [{ id: '3', entitlement: { resetPeriod: 'MONTH', limit: 500 } }] })
  const right = { id: '1', features: { id: '3', entitlement: { limit: 500 } } }
  t.equal(become('package', right), right, 'the very same where nothing is to be done; one object for a list is GraphQL\'s own (R9)')
})

t.test('no rule touches a canonical request, and every printed one becomes valid', async t => {
  for (const { id, query, variables, documentedQuery, documentedVariables } of documented.examples) {
    const canonical = parse(query)
    t.equal(rewritten(canonical, variables), canonical, id)
    if (documentedQuery !== null) t.ok(isValid(rewritten(parse(documentedQuery), documentedVariables ?? {})), `${id} as printed`)
  }
})

t.test('what is rewritten and still not valid has the errors of what was sent', async t => {
  const documents = documentsOf(adminSchema, RULES)
  const refused = documents('{ package(status: "ALL") { data { nope } } }', {})
  t.match(refused, { errors: [{ message: /"status" on field "Query.package"/, locations: [{ line: 1, column: 11 }] }, {}] })
})

t.test('the same text is prepared once for each set of variables that the rules can tell apart', async t => {
  const documents = documentsOf(adminSchema, RULES)
  const query = 'mutation ($input: UpdatePackageInput!) { updatePackage(input: $input) { id } }'
  const withId = documents(query, { input: {}, id: 'pro' })
  t.notOk('errors' in withId)
  t.equal(documents(query, { id: 'other', input: { metadata: {} } }), withId)
  const without = documents(query, { input: {} })
  t.match(without, { errors: [{ message: /argument "id" of type "String!" is required/ }] })
  t.equal(documents(query, { input: {} }), without, 'refusals are remembered, too')
  t.not(documents(query, { input: {}, id: 7 }), withId, 'an id that is no text')
  t.match(documents(`${query}\0true\0["id","input"]`, {}), { errors: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }] })
  t.equal(documents(query, { input: {}, id: 'pro' }), withId, 'no text takes the place of another')
})

t.end()
