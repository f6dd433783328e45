import {
  type DocumentNode, getNamedType, getNullableType, GraphQLInt, type GraphQLInputType, type GraphQLSchema, isInputObjectType, isListType,
  isNonNullType, Kind, type OperationDefinitionNode, TypeInfo, typeFromAST, visit, visitWithTypeInfo
} from 'graphql'

/** As many as a number holds exactly: more than an Int does, so GraphQL itself refuses what is too great. */
const DIGITS = /^-?\d{1,15}$/
/** Of a value that GraphQL would refuse for its depth, the rest is left as it is. */
const DEPTH_MAX = 8

/** Literals: `"1"` where an Int belongs becomes `1`. The very document where there are none. */
export function looseLiterals (document: DocumentNode, schema: GraphQLSchema): DocumentNode {
  const types = new TypeInfo(schema)
  return visit(document, visitWithTypeInfo(types, {
    StringValue: node => getNullableType(types.getInputType()) === GraphQLInt && DIGITS.test(node.value)
      ? { kind: Kind.INT, value: String(Number(node.value)), ...(node.loc !== undefined && { loc: node.loc }) }
      : undefined
  }))
}

export type LooseVariables = ReadonlyMap<string, (value: unknown) => unknown>
type Loosen = (value: unknown, depth: number) => unknown

/** The same of variables, by their name; only of those whose type has an Int in it. */
export function looseVariables (operation: OperationDefinitionNode, schema: GraphQLSchema): LooseVariables {
  const loose = new Map<string, (value: unknown) => unknown>()
  for (const { variable, type } of operation.variableDefinitions ?? []) {
    const declared = typeFromAST(schema, type as never) as GraphQLInputType | undefined
    const loosen = declared === undefined ? undefined : loosenerOf(declared)
    if (loosen !== undefined) loose.set(variable.name.value, value => loosen(value, 0))
  }
  return loose
}

function loosenerOf (type: GraphQLInputType): Loosen | undefined {
  if (isNonNullType(type)) return loosenerOf(type.ofType)
  if (isListType(type)) return loosenerOfList(loosenerOf(type.ofType))
  if (type === GraphQLInt) return value => typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
  if (!isInputObjectType(type)) return undefined
  const members = Object.values(type.getFields()).flatMap(({ name, type: member }) => {
    // A type that contains itself would never end; there is none.
    const loosen = getNamedType(member) === type ? undefined : loosenerOf(member)
    return loosen === undefined ? [] : [[name, loosen] as const]
  })
  return members.length === 0 ? undefined : (value, depth) => looseMembers(value, members, depth)
}

/** GraphQL takes one item for a list. */
function loosenerOfList (item: Loosen | undefined): Loosen | undefined {
  if (item === undefined) return undefined
  return (value, depth) => Array.isArray(value) && depth < DEPTH_MAX ? value.map(each => item(each, depth + 1)) : item(value, depth)
}

function looseMembers (value: unknown, members: ReadonlyArray<readonly [string, Loosen]>, depth: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth >= DEPTH_MAX) return value
  const object = value as Readonly<Record<string, unknown>>
  const changed = members.filter(([name]) => Object.hasOwn(object, name))
    .map(([name, loosen]) => [name, loosen(object[name], depth + 1)] as const)
  return changed.every(([name, next]) => next === object[name]) ? object : { ...object, ...Object.fromEntries(changed) }
}
