/** A GraphQL request that means harm, and what it is to be told. */
export interface Abuse {
  readonly what: string
  /** JSON, with a number in it that is another each time. */
  readonly body: string
  /** Sent without its length: it is found too long as it comes. */
  readonly chunked?: true
  readonly code: string
  readonly message: RegExp
}

/** So deep and so many still fit into the greatest body. */
const DEEP = 40_000
const VARIABLES = 20_000
const LONG = '#'.repeat(5_000_000)

/** Stands for what makes texts differ. */
export const NUMBER = '0000000'

const INVALID = 'GRAPHQL_VALIDATION_FAILED'
const METADATA = 'mutation ($m: JSON) { createUser(input: { id: "x", metadata: $m }) { id } }'
const DELTA = 'query ($d: Int) { canUseFeature(userId: "x", featureId: "x", delta: $d) { access } }'
const DOUBLING = `{ ...f0 } ${many(30, i => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`)} fragment f30 on Query { __typename }`

export const ABUSES: readonly Abuse[] = [
  { what: 'depth 50', body: asking(nested(50)), code: INVALID, message: /nested 51 deep/ },
  { what: 'depth 1,300', body: asking(nested(1_300)), code: INVALID, message: /nested 1301 deep/ },
  { what: '10,000 aliases', body: asking(`{ ${many(10_000, i => `a${i}: __typename`)} }`), code: 'GRAPHQL_PARSE_FAILED', message: /more that 4000 tokens/ },
  { what: '200 questions', body: asking(`{ ${many(200, i => `a${i}: users { id }`)} }`), code: INVALID, message: /200 fields at its top/ },
  { what: 'fragments that double 30 times', body: asking(DOUBLING), code: INVALID, message: /1073741824 fields/ },
  { what: '990 fields under one name', body: asking(`{ packages { ${many(989, () => 'a: id')} a: name } }`), code: INVALID, message: /too many fields under one name/ },
  { what: '990 fields that there are not', body: asking(`{ packages { ${many(990, i => `fetures${i}`)} } }`), code: INVALID, message: /^Cannot query field "fetures0"/ },
  { what: '5 MB', body: asking(`{ __typename }${LONG}`), code: 'BAD_REQUEST', message: /at most 262144 bytes/ },
  { what: '5 MB, the length not said', body: asking(`{ __typename }${LONG}`), chunked: true, code: 'BAD_REQUEST', message: /at most 262144 bytes/ },
  {
    what: 'variables 40,000 deep',
    body: asking(METADATA, `{"m":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`),
    code: 'BAD_USER_INPUT',
    message: /nested at most 8 deep/
  },
  {
    what: 'as deep, as text, for a number',
    body: asking(DELTA, JSON.stringify(`{"d":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`)),
    code: 'BAD_USER_INPUT',
    message: /^Variable "\$d" got invalid value/
  },
  {
    what: '20,000 variables',
    body: asking('{ nope }', `{${Array.from({ length: VARIABLES }, (_, i) => `"v${i}":1`).join()}}`),
    code: 'BAD_REQUEST',
    message: /at most 1000 variables/
  },
  {
    what: 'an unknown operation',
    body: JSON.stringify({ query: `query a { __typename } # ${NUMBER}`, operationName: 'b' }),
    code: 'OPERATION_RESOLUTION_FAILURE',
    message: /^Unknown operation named "b"/
  },
  { what: '1,000 requests in one', body: `[${Array.from({ length: 1_000 }, () => asking('{ __typename }')).join()}]`, code: 'BAD_REQUEST', message: /^A request is one operation/ }
]

/** @param variables JSON */
function asking (query: string, variables = '{}'): string {
  return `{"query":${JSON.stringify(`# ${NUMBER}\n${query}`)},"variables":${variables}}`
}

function many (count: number, one: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => one(i)).join(' ')
}

function nested (levels: number): string {
  return `{ ${'a { '.repeat(levels)}a ${'}'.repeat(levels)} }`
}
