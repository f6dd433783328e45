import {
  type ArgumentNode, type DocumentNode, type FieldNode, type GraphQLSchema, Kind, type NamedTypeNode, OperationTypeNode,
  type OperationDefinitionNode, type TypeNode, type VariableDefinitionNode
} from 'graphql'
import { looseLiterals } from './loose-ints.ts'
import { failure } from './failures.ts'

/**
 * Requests that Kana's documents print and that a strict GraphQL server refuses. Each rule makes one kind of them work, and
 * leaves every other document as it is, the very object. They run between parsing and validation, on what cannot be valid: where a
 * document still is not, the errors of the original are reported. Two more kinds need no rule: one object for a list, which
 * GraphQL takes itself (R9), and a missing content type, which the endpoint does not look at (R10).
 */

/** What of a request, besides its document, rules may depend on. Equal for requests that share a place in the cache. */
export interface Sent {
  /** Of the variables. */
  readonly names: ReadonlySet<string>
  /** Is there a variable `id` that is a text? */
  readonly hasTextId: boolean
}

export type Rule = (document: DocumentNode, sent: Sent, schema: GraphQLSchema) => DocumentNode

export type Variables = Readonly<Record<string, unknown>>

/** R1: all cURL samples send the variables as JSON in a text. @throws `BAD_REQUEST` for what is not an object */
export function textVariables (sent: unknown): Variables {
  const value = typeof sent === 'string' ? parsed(sent.trim() === '' ? 'null' : sent) : sent
  if (value === undefined || value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Variables
  throw failure('variables must be an object, or one as JSON text', { code: 'BAD_REQUEST' })
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw failure('variables must be an object, or one as JSON text: this is no JSON', { code: 'BAD_REQUEST' })
  }
}

/** R2: `query listUsers($id: String!) { users(id: $id) … }` without variables lists all. No other list is so forgiving. */
export const optionalUserId: Rule = (document, { names }) => eachOperation(document, operation => {
  const filters = fieldsOf(operation, 'users').map(field => variableOf(argument(field, 'id')))
  return withVariables(operation, definition => {
    const name = definition.variable.name.value
    const { type } = definition
    if (type.kind !== Kind.NON_NULL_TYPE || names.has(name) || !filters.includes(name)) return definition
    return { ...definition, type: type.type }
  })
})

/** R3: `package(status: …)` and `subscription(userId: …)` mean the lists. */
export const pluralNames: Rule = document => eachOperation(document, operation => eachField(operation, field => {
  const plural = operation.operation === OperationTypeNode.QUERY ? LISTS[field.name.value] : undefined
  if (plural === undefined || argument(field, 'id') !== undefined || argument(field, plural.by) === undefined) return field
  return { ...field, name: { ...field.name, value: plural.name } }
}))

const LISTS: Readonly<Record<string, { readonly name: string, readonly by: string }>> = {
  package: { name: 'packages', by: 'status' },
  subscription: { name: 'subscriptions', by: 'userId' }
}

/** R4: a lone `data { … }` in a root field is taken away, as it is in the documented answers. */
export const unwrappedData: Rule = document => eachOperation(document, operation => eachField(operation, field => {
  const data = loneData(field)
  return data?.selectionSet === undefined ? field : { ...field, selectionSet: data.selectionSet }
}))

/**
 * Under these keys of an answer R4 took `data` away: whoever reads it there finds it, too.
 * @param original as it was sent
 * @returns by the name of their operation
 */
export function wrappedKeys (
  original: DocumentNode, sent: Sent, schema: GraphQLSchema
): ReadonlyMap<string | undefined, readonly string[]> {
  return new Map(operationsOf(pluralNames(original, sent, schema)).map(operation => [
    operation.name?.value,
    rootFields(operation).filter(field => loneData(field) !== undefined).map(({ alias, name }) => (alias ?? name).value)
  ]))
}

function loneData ({ selectionSet }: FieldNode): FieldNode | undefined {
  const [only, ...others] = selectionSet?.selections ?? []
  if (only?.kind !== Kind.FIELD || others.length > 0 || only.alias !== undefined || only.name.value !== 'data') return undefined
  return only.selectionSet === undefined ? undefined : only
}

/** R5: `updateFeature(input: $input)` and `updatePackage` with the id among the variables only. */
export const idFromVariables: Rule = (document, { hasTextId }) => !hasTextId
  ? document
  : eachOperation(document, operation => {
    const without = fieldsOf(operation, 'updateFeature', 'updatePackage').filter(field => argument(field, 'id') === undefined)
    if (without.length === 0) return operation
    const known = operation.variableDefinitions ?? []
    const isDeclared = known.some(({ variable }) => variable.name.value === 'id')
    return {
      ...eachField(operation, field => without.includes(field) ? { ...field, arguments: [ID_ARGUMENT, ...field.arguments ?? []] } : field),
      variableDefinitions: isDeclared ? known : [ID_DEFINITION, ...known]
    }
  })

const ID_NAME = { kind: Kind.NAME, value: 'id' } as const
const ID_VARIABLE = { kind: Kind.VARIABLE, name: ID_NAME } as const
const ID_ARGUMENT: ArgumentNode = { kind: Kind.ARGUMENT, name: ID_NAME, value: ID_VARIABLE }
const ID_DEFINITION: VariableDefinitionNode = {
  kind: Kind.VARIABLE_DEFINITION,
  variable: ID_VARIABLE,
  type: { kind: Kind.NON_NULL_TYPE, type: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: 'String' } } }
}

/** R6: `generateUserToken(…)` without a selection is answered with the token. */
export const tokenSelection: Rule = document => eachOperation(document, operation => eachField(operation, field => {
  const isToken = operation.operation === OperationTypeNode.MUTATION && field.name.value === 'generateUserToken'
  return isToken && field.selectionSet === undefined ? { ...field, selectionSet: { kind: Kind.SELECTION_SET, selections: [TOKEN] } } : field
}))

const TOKEN: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: 'token' } }

/** R7: `updateUser` whose `$input` is declared as `CreateUserInput`, and the other way round. */
export const userInputType: Rule = document => eachOperation(document, operation => {
  const wanted = new Map<string, Set<string>>()
  for (const field of fieldsOf(operation, ...Object.keys(USER_INPUTS))) {
    const name = variableOf(argument(field, 'input'))
    if (name !== undefined) wanted.set(name, (wanted.get(name) ?? new Set()).add(USER_INPUTS[field.name.value] as string))
  }
  return withVariables(operation, definition => {
    const [type, ...others] = wanted.get(definition.variable.name.value) ?? []
    if (type === undefined || others.length > 0) return definition
    const renamed = renamedType(definition.type, type)
    return renamed === definition.type ? definition : { ...definition, type: renamed }
  })
})

const USER_INPUTS: Readonly<Record<string, string>> = { createUser: 'CreateUserInput', updateUser: 'UpdateUserInput' }

function renamedType<T extends TypeNode> (type: T, to: string): T {
  if (type.kind === Kind.NON_NULL_TYPE) {
    const inner = renamedType(type.type, to)
    return inner === type.type ? type : { ...type, type: inner }
  }
  const named = type.kind === Kind.NAMED_TYPE ? type as NamedTypeNode : undefined
  const isOther = named !== undefined && named.name.value !== to && Object.values(USER_INPUTS).includes(named.name.value)
  return isOther ? { ...type, name: { ...named.name, value: to } } : type
}

/** R8: `delta: "1"`. Digits in a text are a number where a number belongs; never the other way, as ids are texts. */
export const looseInts: Rule = (document, _sent, schema) => looseLiterals(document, schema)

/** All that work on documents, in order: R3 says what a field is, before others look at it. */
export const RULES: readonly Rule[] = [
  pluralNames, optionalUserId, unwrappedData, idFromVariables, tokenSelection, userInputType, looseInts
]

function operationsOf (document: DocumentNode): OperationDefinitionNode[] {
  return document.definitions.filter(definition => definition.kind === Kind.OPERATION_DEFINITION)
}

function eachOperation (document: DocumentNode, change: (operation: OperationDefinitionNode) => OperationDefinitionNode): DocumentNode {
  const definitions = mapped(document.definitions, definition =>
    definition.kind === Kind.OPERATION_DEFINITION ? change(definition) : definition)
  return definitions === document.definitions ? document : { ...document, definitions }
}

function rootFields ({ selectionSet }: OperationDefinitionNode): FieldNode[] {
  return selectionSet.selections.filter(selection => selection.kind === Kind.FIELD)
}

function fieldsOf (operation: OperationDefinitionNode, ...names: string[]): FieldNode[] {
  return rootFields(operation).filter(({ name }) => names.includes(name.value))
}

function eachField (operation: OperationDefinitionNode, change: (field: FieldNode) => FieldNode): OperationDefinitionNode {
  const { selectionSet } = operation
  const selections = mapped(selectionSet.selections, selection => selection.kind === Kind.FIELD ? change(selection) : selection)
  return selections === selectionSet.selections ? operation : { ...operation, selectionSet: { ...selectionSet, selections } }
}

function withVariables (
  operation: OperationDefinitionNode, change: (definition: VariableDefinitionNode) => VariableDefinitionNode
): OperationDefinitionNode {
  const known = operation.variableDefinitions ?? []
  const variableDefinitions = mapped(known, change)
  return variableDefinitions === known ? operation : { ...operation, variableDefinitions }
}

/** The very list where nothing changes. */
function mapped<T> (items: readonly T[], change: (item: T) => T): readonly T[] {
  const next = items.map(change)
  return next.some((item, i) => item !== items[i]) ? next : items
}

function argument (field: FieldNode, name: string): ArgumentNode | undefined {
  return field.arguments?.find(argument => argument.name.value === name)
}

function variableOf (argument: ArgumentNode | undefined): string | undefined {
  return argument?.value.kind === Kind.VARIABLE ? argument.value.name.value : undefined
}
