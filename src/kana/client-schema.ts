import { buildSchema } from 'graphql'

/** Kana's client API, which only reads. What its npm package never asks for is there for those who write their own queries. */
const SDL = `
scalar JSON

enum FeatureType { BINARY CONSUMABLE }
enum SubscriptionStatus { ACTIVE CANCELLED }

type Consumption {
  "null: unlimited."
  budget: Int
  used: Int!
  overageEnabled: Boolean!
}

type Entitlement {
  access: Boolean!
  reason: String!
  "null: BINARY."
  consumption: Consumption
}

type Feature {
  id: String!
  name: String!
  type: FeatureType!
  unitLabel: String
  unitLabelPlural: String
  metadata: JSON
  "Of all that the user holds, whichever package this is seen in."
  entitlement(delta: Int = 1): Entitlement!
}

type Package { id: String! name: String! isAddon: Boolean! metadata: JSON features: [Feature!]! }
type User { id: String! name: String email: String subscribedPackages: [Package!]! }
type Query { currentUser: User! }
`

export const clientSchema = buildSchema(SDL)
