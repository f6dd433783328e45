import { buildSchema } from 'graphql'

/** Kana's admin API. What later versions of its documents have no more is at the end, or marked. */
const SDL = `
scalar DateTime
scalar JSON

enum FeatureType { BINARY CONSUMABLE }
"ALL is a filter, and no package's status."
enum PackageStatus { ARCHIVED DRAFT PUBLISHED ALL }
enum ResetPeriod { YEAR MONTH DAY }
enum SubscriptionStatus { ACTIVE TRIALING CANCELLED PAST_DUE UNPAID INCOMPLETE INCOMPLETE_EXPIRED }
"SET makes the delta the total of the current period."
enum RecordUsageAction { ADD SET }

type Feature {
  id: String!
  identifier: String! @deprecated(reason: "Use id.")
  name: String!
  type: FeatureType!
  "Of CONSUMABLE features."
  unitLabel: String
  unitLabelPlural: String
  metadata: JSON
  packages: [Package!]!
  entitlement(userId: String!): Entitlement
}

type Package {
  id: String!
  name: String!
  isAddon: Boolean!
  status: PackageStatus!
  updatedAt: DateTime!
  metadata: JSON
  features: [PackageFeature!]!
  prices: [PackagePrice!]!
}

type PackageFeature {
  id: String!
  name: String!
  type: FeatureType!
  "A whole number, as text. null: unlimited, or BINARY."
  limit: String
  unitLabel: String
  unitLabelPlural: String
  metadata: JSON
  "null: never, or not one of these."
  resetPeriod: ResetPeriod
  overageEnabled: Boolean
}

type PackagePrice {
  id: String!
  provider: String!
  "Minor units."
  amount: Int!
  displayAmount: String!
  currency: String!
  "null: paid once."
  interval: String
}

type Consumption {
  used: Int!
  "null: unlimited."
  budget: Int
  overageEnabled: Boolean!
}

type Entitlement {
  access: Boolean!
  reason: String!
  "null: BINARY, or not entitled."
  consumption: Consumption
}

type CanUseFeatureData {
  access: Boolean!
  reason: String!
  "null: BINARY, or not entitled."
  consumption: Consumption
}

type ConsumptionInPeriod {
  periodStart: DateTime!
  "null: it never resets."
  periodEnd: DateTime
  consumption: Consumption!
}

type ShowUsageData {
  current: ConsumptionInPeriod
  "Newest first."
  past: [ConsumptionInPeriod!]
}

type User {
  id: String!
  billingId: String
  name: String
  email: String
  metadata: JSON
}

type PackageSubscription {
  id: String!
  userId: String!
  status: SubscriptionStatus!
  package: Package!
  plan: Package! @deprecated(reason: "Use package.")
  metadata: JSON
}

type RecordedUsage {
  recorded: Boolean!
  reason: String
}

type SubscriptionLink { url: String! }
type GeneratedUserToken { token: String }

input CreateFeatureInput {
  id: String!
  name: String
  type: FeatureType!
  unitLabel: String
  unitLabelPlural: String
  metadata: JSON
}

input UpdateFeatureInput {
  name: String
  unitLabel: String
  unitLabelPlural: String
  metadata: JSON
}

input EntitlementInput {
  "Absent: unlimited."
  limit: Int
  resetPeriod: ResetPeriod!
  overageEnabled: Boolean = false
}

input CreatePackageFeatureInput {
  id: String!
  entitlement: EntitlementInput
}

input CreatePackageInput {
  id: String!
  name: String
  isAddon: Boolean = false
  features: [CreatePackageFeatureInput!]!
  metadata: JSON
}

input UpdatePackageInput { metadata: JSON }

input CreateUserInput {
  id: String!
  billingId: String
  name: String
  email: String
  metadata: JSON
}

input UpdateUserInput {
  "The new id."
  id: String
  name: String
  metadata: JSON
}

input CreateUsageEventInput {
  userId: String!
  featureId: String!
  delta: Int = 1
  action: RecordUsageAction = ADD
}

type Query {
  feature(id: String!): Feature!
  features: [Feature!]!
  canUseFeature(userId: String!, featureId: String!, delta: Int = 1): CanUseFeatureData!
  showUsage(userId: String!, featureId: String!): ShowUsageData!
  package(id: String!, includeFeatures: Boolean = false): Package!
  packages(status: String = "PUBLISHED", includeFeatures: Boolean = false): [Package!]!
  user(id: String!): User!
  users(id: String): [User!]!
  subscription(id: String!): PackageSubscription!
  subscriptions(userId: String): [PackageSubscription!]
  plans: [Package!]! @deprecated(reason: "Use packages.")
  paymentLink(packageIds: [String!]!): SubscriptionLink! @deprecated(reason: "Use generateSubscriptionLink.")
}

type Mutation {
  createFeature(input: CreateFeatureInput, featureIdentifier: String, name: String): Feature!
  updateFeature(id: String!, input: UpdateFeatureInput!): Feature!
  createPackage(input: CreatePackageInput!): Package!
  updatePackage(id: String!, input: UpdatePackageInput!): Package!
  createUser(input: CreateUserInput!): User!
  updateUser(id: String!, input: UpdateUserInput!): User!
  subscribe(packageIds: [String!], planIds: [Int!], userId: String!): [PackageSubscription!]!
  recordUsage(input: CreateUsageEventInput!): RecordedUsage
  createUsageEvent(
    input: CreateUsageEventInput, userId: String, featureId: String, delta: Int, action: RecordUsageAction
  ): Boolean! @deprecated(reason: "Use recordUsage.")
  createusageevent(
    input: CreateUsageEventInput, userId: String, featureId: String, delta: Int, action: RecordUsageAction
  ): Boolean! @deprecated(reason: "Use recordUsage.")
  generateSubscriptionLink(userId: String, templateId: String!, successUrl: String!, cancelUrl: String!): SubscriptionLink!
  generateSubscriptionLinks(userId: String, templateId: String!, successUrl: String!, cancelUrl: String!): SubscriptionLink!
  generateUserToken(userId: String!): GeneratedUserToken
}
`

export const adminSchema = buildSchema(SDL)
