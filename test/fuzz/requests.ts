import fc from 'fast-check'
import { exampleOf, type Operation } from '../fixtures/operations.ts'
import { brokenTail, contentType, garbage, headerName, headerText, hostileJson, hostileName, hostileText, usefulText } from './hostile.ts'
import { textOf, valueOf } from './schema-values.ts'
import { type Change, type Json, jsonOf, type Text } from './value.ts'

type Pair = readonly [name: Text, value: Text]

/** One request, before ids are filled in and it becomes text. */
export interface FuzzRequest {
  readonly operation: string
  readonly method: string
  /** `/v1/events/{id}` */
  readonly template: string
  readonly path: Readonly<Record<string, Text>>
  readonly query: readonly Pair[]
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Json | undefined
  readonly contentType: string
  /** The service that asks for a key, rather than the open one. */
  readonly keyed: boolean
  readonly damage: readonly Damage[]
}

export type Damage =
  /** Of the place that many steps into the body, again from the start if it has fewer. */
  | { readonly to: 'body', readonly at: number, readonly change: Change }
  | { readonly to: 'path' | 'query', readonly at: number, readonly does: 'replace' | 'drop' | 'repeat' | 'add', readonly pair: Pair }
  | { readonly to: 'header', readonly name: string, readonly value: string }
  /** Cut there, in thousandths of its length, and something else put in place of the rest. */
  | { readonly to: 'text', readonly at: number, readonly tail: string }
  /** Bytes that are no UTF-8. */
  | { readonly to: 'bytes', readonly at: number }
  | { readonly to: 'type', readonly type: string }
  | { readonly to: 'method', readonly method: string }
  | { readonly to: 'address', readonly suffix: Text }

const PLACES = 30
const CONFIRMATION = 'confirm'
/** Where one request depends on earlier ones. */
const OFTEN: Readonly<Record<string, number>> = {
  'post /v1/report': 5,
  'post /v1/subscribe': 4,
  'post /v1/orgs/{org}/subscriptions': 4,
  'patch /v1/subscriptions/{id}': 4,
  'delete /v1/subscriptions/{id}': 4
}

const badText: fc.Arbitrary<Text> = fc.oneof(hostileText, usefulText, garbage)

const damage: fc.Arbitrary<Damage> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      to: fc.constant('body' as const),
      at: fc.nat(PLACES),
      change: fc.record({ does: fc.constantFrom('replace', 'replace', 'drop', 'repeat', 'rename', 'add'), name: hostileName, value: hostileJson })
    })
  },
  {
    weight: 12,
    arbitrary: fc.record({
      to: fc.constantFrom('path', 'query', 'query'),
      at: fc.nat(PLACES),
      does: fc.constantFrom('replace', 'replace', 'drop', 'repeat', 'add'),
      pair: fc.tuple(fc.oneof(hostileName, garbage), badText)
    })
  },
  { weight: 3, arbitrary: fc.record({ to: fc.constant('header' as const), name: headerName, value: headerText }) },
  { weight: 2, arbitrary: fc.record({ to: fc.constant('text' as const), at: fc.nat(1_000), tail: brokenTail }) },
  { weight: 1, arbitrary: fc.record({ to: fc.constant('bytes' as const), at: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ to: fc.constant('type' as const), type: contentType }) },
  {
    weight: 1,
    arbitrary: fc.record({ to: fc.constant('method' as const), method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND') })
  },
  { weight: 1, arbitrary: fc.record({ to: fc.constant('address' as const), suffix: garbage }) }
)

/** As many requests that should work as ones with one thing wrong with them; few have more. */
const damages = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 5, arbitrary: fc.array(damage, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(damage, { minLength: 2, maxLength: 4 }) }
)

/** Requests of every operation that the document has, whatever it will be. */
export function requestsOf (operations: readonly Operation[]): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(...operations.map(operation => ({ weight: OFTEN[operation.name] ?? 1, arbitrary: requestOf(operation) })))
}

function requestOf ({ name: operation, method, path: template, parameters, body }: Operation): fc.Arbitrary<FuzzRequest> {
  const placed = (place: string): Operation['parameters'] => parameters.filter(parameter => parameter.in === place)
  const value = ({ name, schema = {}, ...parameter }: Operation['parameters'][number]): fc.Arbitrary<Text> => {
    const example = exampleOf({ schema, ...parameter })
    const drawn = textOf(schema, name)
    const words = [schema, ...schema.anyOf ?? []].flatMap(({ enum: words = [] }) => words as string[])
    if (words.length > 0) return fc.oneof(fc.constantFrom(...words), drawn)
    return example === undefined ? drawn : fc.oneof({ weight: 2, arbitrary: fc.constant(String(example)) }, { weight: 3, arbitrary: drawn })
  }
  const pair = (parameter: Operation['parameters'][number]): fc.Arbitrary<Pair[]> => {
    const given = value(parameter).map((text): Pair[] => [[parameter.name, text]])
    const none: fc.Arbitrary<Pair[]> = fc.constant([])
    return parameter.required === true ? given : fc.oneof({ weight: 2, arbitrary: given }, { weight: 3, arbitrary: none })
  }
  const request: fc.Arbitrary<FuzzRequest> = fc.record({
    operation: fc.constant(operation),
    method: fc.constant(method),
    template: fc.constant(template),
    path: fc.record(Object.fromEntries(placed('path').map(parameter => [parameter.name, value(parameter)]))),
    query: fc.tuple(...placed('query').map(pair)).map(pairs => pairs.flat()),
    headers: fc.tuple(...placed('header').map(({ name }) => fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: headerText.map(text => [[name as string, text] as const]) }
    ))).map(headers => headers.flat()),
    body: body === undefined
      ? fc.oneof({ weight: 30, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: hostileJson })
      : fc.oneof(fc.constant(jsonOf(exampleOf(body))), valueOf(body.schema, '')),
    contentType: fc.constant('application/json'),
    keyed: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    damage: damages
  })
  if (!parameters.some(({ name }) => name === CONFIRMATION)) return request
  return fc.oneof(request, request.map(confirmed))
}

/** What deletes wants to hear the last word of its path once more. */
function confirmed (request: FuzzRequest): FuzzRequest {
  const [named] = Object.values(request.path).slice(-1)
  const others = request.query.filter(([name]) => name !== CONFIRMATION)
  return { ...request, query: named === undefined ? others : [...others, [CONFIRMATION, named]] }
}
