import { type DocumentNode, type FragmentDefinitionNode, Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql'
import { failure } from './failures.ts'

/** What a query may ask for. The greatest of our own schema is 4 deep, and the introspection of GraphiQL 14. */
export const TOKENS_MAX = 4_000
export const DEPTH_MAX = 20
/** With those of fragments, wherever they are spread. */
export const FIELDS_MAX = 1_000
/** Each is at least one question to a store. */
export const ROOT_FIELDS_MAX = 100

interface Size {
  readonly depth: number
  readonly fields: number
  /** Of these, those at the top. */
  readonly top: number
}

/**
 * Before a document is validated, which takes longer the more it says.
 * @throws `GRAPHQL_VALIDATION_FAILED`, saying which limit was passed
 */
export function checkSize (document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  const sizes = new Map<string, Size>()

  function sizeOf ({ selections }: SelectionSetNode): Size {
    let depth = 0
    let fields = 0
    let top = 0
    for (const selection of selections) {
      const own = selection.kind === Kind.FIELD ? 1 : 0
      const inner = selection.kind === Kind.FRAGMENT_SPREAD
        ? fragmentSize(selection.name.value)
        : selection.selectionSet === undefined ? NOTHING : sizeOf(selection.selectionSet)
      depth = Math.max(depth, inner.depth + own)
      fields += inner.fields + own
      top += own === 1 ? 1 : inner.top
    }
    return { depth, fields, top }
  }

  /** One that spreads itself, which validation refuses, counts as nothing in there. */
  function fragmentSize (name: string): Size {
    const known = sizes.get(name)
    if (known !== undefined) return known
    sizes.set(name, NOTHING)
    const fragment = fragments.get(name)
    const size = fragment === undefined ? NOTHING : sizeOf(fragment.selectionSet)
    sizes.set(name, size)
    return size
  }

  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) check(definition, sizeOf(definition.selectionSet))
    if (definition.kind === Kind.FRAGMENT_DEFINITION) check(definition, fragmentSize(definition.name.value))
  }
}

const NOTHING: Size = { depth: 0, fields: 0, top: 0 }

function check (definition: OperationDefinitionNode | FragmentDefinitionNode, { depth, fields, top }: Size): void {
  if (depth > DEPTH_MAX) throw tooMuch(`is nested ${depth} deep; it may be ${DEPTH_MAX} deep`)
  if (fields > FIELDS_MAX) throw tooMuch(`asks for ${fields} fields; it may ask for ${FIELDS_MAX}`)
  if (definition.kind === Kind.OPERATION_DEFINITION && top > ROOT_FIELDS_MAX) {
    throw tooMuch(`has ${top} fields at its top; it may have ${ROOT_FIELDS_MAX}`)
  }
}

function tooMuch (what: string): Error {
  return failure(`The query ${what}.`, { code: 'GRAPHQL_VALIDATION_FAILED' })
}
