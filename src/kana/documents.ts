import {
  type DocumentNode, type GraphQLError, type GraphQLFormattedError, type GraphQLSchema, Kind, type OperationDefinitionNode, parse,
  specifiedRules, validate
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type FailureCode, failure, formatted } from './failures.ts'
import { checkSize, TOKENS_MAX } from './limits.ts'
import { type LooseVariables, looseVariables } from './loose-ints.ts'
import { type Rule, type Variables, wrappedKeys } from './tolerance.ts'

const CACHED_MAX = 500
/** Of all cached texts; what is made of a text takes many times its room. */
const CACHED_CHARS_MAX = 1_000_000
const CACHED_DOCUMENT_CHARS_MAX = 20_000
const ERRORS_MAX = 20
/** All that graphql-js says where comparing fields and fragments with each other would take too long. */
const ABORTED = 'Validation aborted.'
const TOO_MANY_ALIKE = 'The query asks for too many fields under one name, or spreads too many fragments, to be compared with each other.'

/** A document that can be executed, with what is to be done about variables and answers. */
export interface Prepared {
  readonly document: DocumentNode
  readonly operations: readonly PreparedOperation[]
}

export interface PreparedOperation {
  readonly name: string | undefined
  /** Which of the variables to look at, and how. */
  readonly looseVariables: LooseVariables
  /** Keys of the answer under which an object is shown once more, as its own `data`. */
  readonly wrapped: readonly string[]
}

export interface Refused {
  readonly errors: readonly GraphQLFormattedError[]
}

export type Documents = (query: string, variables: Variables) => Prepared | Refused

/** Parses, rewrites and validates, and remembers both what it made and what it refused. */
export function documentsOf (schema: GraphQLSchema, rules: readonly Rule[]): Documents {
  const cached = new LRUCache<string, Prepared | Refused>({
    max: CACHED_MAX, maxSize: CACHED_CHARS_MAX, sizeCalculation: (_made, key) => key.length
  })
  return (query, variables) => {
    const key = keyOf(query, variables)
    const known = cached.get(key)
    if (known !== undefined) return known
    const made = make(schema, rules, query, variables)
    if (key.length <= CACHED_DOCUMENT_CHARS_MAX) cached.set(key, made)
    return made
  }
}

/** The rules look at the text, at which variables were sent, and at whether `id` is a text. */
function keyOf (query: string, variables: Variables): string {
  // No text can be taken for another with its ending: NUL is in neither part of that.
  return `${query}\0${typeof variables.id === 'string'}\0${JSON.stringify(Object.keys(variables).sort())}`
}

function make (schema: GraphQLSchema, rules: readonly Rule[], query: string, variables: Variables): Prepared | Refused {
  let original: DocumentNode
  try {
    original = parse(query, { maxTokens: TOKENS_MAX })
  } catch (error) {
    return refused([error], 'GRAPHQL_PARSE_FAILED')
  }
  try {
    checkSize(original)
  } catch (error) {
    return refused([error], 'GRAPHQL_VALIDATION_FAILED')
  }
  const sent = { names: new Set(Object.keys(variables)), hasTextId: typeof variables.id === 'string' }
  const document = rules.reduce((document, rule) => rule(document, sent, schema), original)
  const errors = problemsOf(schema, document)
  if (errors.length > 0) {
    const own = document === original ? errors : problemsOf(schema, original)
    return refused(own.length > 0 ? own : errors, 'GRAPHQL_VALIDATION_FAILED')
  }
  const wrapped = document === original ? undefined : wrappedKeys(original, sent, schema)
  return {
    document,
    operations: operationsOf(document).map(operation => ({
      name: operation.name?.value,
      looseVariables: looseVariables(operation, schema),
      wrapped: wrapped?.get(operation.name?.value) ?? []
    }))
  }
}

function problemsOf (schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  return validate(schema, document, specifiedRules, { maxErrors: ERRORS_MAX })
    .map(error => error.message === ABORTED ? failure(TOO_MANY_ALIKE, { code: 'GRAPHQL_VALIDATION_FAILED' }) : error)
}

function refused (errors: readonly unknown[], code: FailureCode): Refused {
  return { errors: errors.map(error => formatted(error, code)) }
}

function operationsOf (document: DocumentNode): OperationDefinitionNode[] {
  return document.definitions.filter(definition => definition.kind === Kind.OPERATION_DEFINITION)
}
