import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { errors, type ErrorCode, TollgateError } from '../errors.ts'

/** The classes of Kana's SDKs, which find theirs by this name. */
export type FailureName = 'SubscriptionError' | 'SubscriptionNotFoundError' | 'PackageNotFoundError' | 'FeatureNotFoundError' |
  'UserNotFoundError' | 'SubscriptionLinkError' | 'AuthenticationError'

/** Apollo Server's, which is what Kana ran. */
export type FailureCode = 'BAD_REQUEST' | 'BAD_USER_INPUT' | 'UNAUTHENTICATED' | 'FORBIDDEN' | 'GRAPHQL_PARSE_FAILED' |
  'GRAPHQL_VALIDATION_FAILED' | 'OPERATION_RESOLUTION_FAILURE' | 'INTERNAL_SERVER_ERROR'

/** What is answered with in place of data. Its message is public. */
export function failure (message: string, { code = 'BAD_USER_INPUT', name }: { code?: FailureCode, name?: FailureName } = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...(name !== undefined && { exception: { name, message } }) } })
}

export const noSuch = {
  feature: () => failure('Feature Id not found for app', { name: 'FeatureNotFoundError' }),
  package: () => failure('Package Id not found for app', { name: 'PackageNotFoundError' }),
  user: () => failure('User Id not found for app', { name: 'UserNotFoundError' }),
  subscription: () => failure('Subscription Id not found for app', { name: 'SubscriptionNotFoundError' }),
  template: () => failure('Billing template Id not found for app', { name: 'SubscriptionLinkError' })
} as const

/** The SDKs know a refused key by how the message begins. */
export function unauthenticated (why: string): GraphQLError {
  return failure(`Unauthenticated: ${why}`, { code: 'UNAUTHENTICATED', name: 'AuthenticationError' })
}

const IN_KANAS_WORDS: { readonly [Code in ErrorCode]?: (error: TollgateError) => GraphQLError } = {
  org_not_found: noSuch.user,
  feature_not_found: noSuch.feature,
  TERR1020: noSuch.package,
  plan_unavailable: noSuch.package,
  template_not_found: noSuch.template,
  org_conflict: () => failure('User Id already exists for app'),
  feature_conflict: () => failure('Feature Id already exists for app'),
  subscription_conflict: ({ message }) => failure(message, { name: 'SubscriptionError' }),
  no_payment_provider: ({ message }) => failure(message, { name: 'SubscriptionLinkError' }),
  unauthorized: ({ message }) => unauthenticated(message),
  forbidden: ({ message }) => failure(message, { code: 'FORBIDDEN' }),
  internal_error: () => failure('Internal server error', { code: 'INTERNAL_SERVER_ERROR' })
}

/** What an operation refused, as Kana would have said it. */
function translated (error: TollgateError): GraphQLError {
  const own = IN_KANAS_WORDS[error.code]
  if (own !== undefined) return own(error)
  return failure(error.message, errors[error.code].status < 500 ? {} : { code: 'INTERNAL_SERVER_ERROR' })
}

/** What nobody foresaw says nothing. */
function shown (error: unknown): GraphQLError {
  if (error instanceof TollgateError) return translated(error)
  return error instanceof GraphQLError ? error : failure('Internal server error', { code: 'INTERNAL_SERVER_ERROR' })
}

/**
 * An error as it is sent.
 * @param standard the code of what graphql-js itself refuses
 */
export function formatted (error: unknown, standard: FailureCode = 'BAD_USER_INPUT'): GraphQLFormattedError {
  const { locations, path } = error instanceof GraphQLError ? error : {} as Partial<GraphQLError>
  const { message, extensions } = shown(causeOf(error))
  return {
    message,
    ...(locations !== undefined && { locations }),
    ...(path !== undefined && { path }),
    extensions: { ...extensions, code: extensions.code ?? standard }
  }
}

/** Is it worth a line in the log: nobody foresaw it, or something is down? */
export function isOurs (error: unknown): boolean {
  return shown(causeOf(error)).extensions.code === 'INTERNAL_SERVER_ERROR'
}

/** graphql-js wraps what a resolver throws, to say where in the query that was; and what is wrong with a variable, in words of its own. */
export function causeOf (error: unknown): unknown {
  return error instanceof GraphQLError && error.path !== undefined ? error.originalError ?? error : error
}
