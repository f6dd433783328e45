import { sql } from 'drizzle-orm'
import { type AnyPgColumn, bigint, boolean, customType, index, integer, jsonb, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import { type Amount, amountFromNumeric, amountText } from '../domain/amount.ts'
import type { Aggregate, Combine, FeatureType, Instant, OutagePolicy, Reset } from '../domain/entitlement.ts'
import type { KeyKind, Scope } from '../domain/key.ts'
import type { Interval, PlanStatus, Price } from '../domain/plan.ts'
import type { Properties } from '../domain/properties.ts'
import type { ReservationState } from '../domain/reservation.ts'
import type { SubscriptionStatus } from '../domain/schedule.ts'

/** Instants are epoch milliseconds in the process and `timestamptz(3)` in Postgres. */
export const instant = customType<{ data: Instant, driverData: string }>({
  dataType: () => 'timestamp(3) with time zone',
  toDriver: value => new Date(value).toISOString(),
  fromDriver: text => instantFrom(text)
})

export function instantFrom (text: string): Instant {
  return new Date(text).getTime()
}

const amount = customType<{ data: Amount, driverData: string }>({
  dataType: () => 'numeric(38,9)',
  toDriver: amountText,
  fromDriver: amountFromNumeric
})

const metadata = () => jsonb('metadata').$type<Properties>().notNull().default({})
export const now = sql`now()`

/** One row. The id names this ledger in every mirror key, so that another database never meets our old keys. */
export const ledger = pgTable('ledger', {
  id: uuid('id').primaryKey().defaultRandom(),
  /** Signs links that leave the service and come back; the replicas of a ledger share it. 244 random bits in hexadecimal. */
  secret: text('secret').notNull().default(sql`replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')`),
  /** Events of before may have been deleted for their age; null: none were. Counters are kept. */
  eventsKeptSince: instant('events_kept_since')
})

export const environments = pgTable('environments', {
  name: text('name').primaryKey(),
  /** `plan:free@0`: what an org is subscribed to on first sight. */
  defaultPlan: text('default_plan'),
  /** A frozen clock: every operation in this environment happens at this instant. */
  fixedNow: instant('fixed_now'),
  /** Set: a test clock, which borrows this environment's plans. */
  parent: text('parent').references((): AnyPgColumn => environments.name),
  /** For test clocks: unused ones are deleted. Written at most once an hour. */
  lastUsedAt: instant('last_used_at').notNull().default(now),
  /** Subscription ids are counted per environment. */
  nextSubscription: bigint('next_subscription', { mode: 'number' }).notNull().default(1),
  createdAt: instant('created_at').notNull().default(now)
})

/** A key is shown once, when it is made: only its digest is kept. */
export const keys = pgTable('keys', {
  id: uuid('id').primaryKey(),
  environment: text('environment').notNull().references(() => environments.name),
  name: text('name').notNull(),
  kind: text('kind').$type<KeyKind>().notNull(),
  /** Empty for public keys. */
  scopes: text('scopes').array().$type<Scope[]>().notNull(),
  /** The first characters of the key, by which its owner knows it again. */
  prefix: text('prefix').notNull(),
  /** SHA-256 of the key, in hexadecimal. A key is 128 random bits or more, so it needs no salt and no slow hash. */
  digest: text('digest').notNull().unique(),
  createdAt: instant('created_at').notNull().default(now),
  /** Written at most once a minute. */
  lastUsedAt: instant('last_used_at'),
  /** From here on it is refused: the end of a rotation's overlap, or of a key made for a time. */
  expiresAt: instant('expires_at'),
  revokedAt: instant('revoked_at'),
  /** The key that takes its place. */
  rotatedTo: uuid('rotated_to')
}, table => [index('keys_environment').on(table.environment, table.id)])

export const features = pgTable('features', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  environment: text('environment').notNull().references(() => environments.name),
  name: text('name').notNull(),
  /** What is answered of it while the ledger cannot be asked. */
  onOutage: text('on_outage').$type<OutagePolicy>().notNull().default('lastKnown'),
  /** As it was made by itself; null: only plans say what it is. */
  type: text('type').$type<FeatureType>(),
  /** null: its id will do */
  title: text('title'),
  unitLabel: text('unit_label'),
  unitLabelPlural: text('unit_label_plural'),
  metadata: metadata(),
  createdAt: instant('created_at').notNull().default(now)
}, table => [unique().on(table.environment, table.name)])

export const plans = pgTable('plans', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  environment: text('environment').notNull().references(() => environments.name),
  name: text('name').notNull(),
  version: text('version').notNull(),
  title: text('title').notNull(),
  currency: text('currency').notNull(),
  interval: text('interval').$type<Interval>().notNull(),
  addon: boolean('addon').notNull(),
  anchor: text('anchor').$type<'subscription' | 'calendar'>().notNull(),
  status: text('status').$type<PlanStatus>().notNull(),
  metadata: metadata(),
  createdAt: instant('created_at').notNull().default(now),
  /** In the time of whoever changed it last. */
  updatedAt: instant('updated_at').notNull().default(now)
}, table => [unique().on(table.environment, table.name, table.version)])

export const entitlements = pgTable('entitlements', {
  plan: integer('plan').notNull().references(() => plans.id),
  feature: integer('feature').notNull().references(() => features.id),
  title: text('title').notNull(),
  type: text('type').$type<FeatureType>().notNull(),
  limit: amount('limit'),
  overage: boolean('overage').notNull(),
  reset: text('reset').$type<Reset>().notNull(),
  aggregate: text('aggregate').$type<Aggregate>().notNull(),
  combine: text('combine').$type<Combine>().notNull(),
  price: jsonb('price').$type<Price>().notNull()
}, table => [primaryKey({ columns: [table.plan, table.feature] })])

export const orgs = pgTable('orgs', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  environment: text('environment').notNull().references(() => environments.name),
  name: text('name').notNull(),
  /** Raised by everything a verdict depends on: subscriptions, statuses, zone, rename. */
  version: bigint('version', { mode: 'number' }).notNull().default(1),
  timeZone: text('time_zone').notNull().default('UTC'),
  info: jsonb('info').$type<Readonly<Record<string, unknown>>>().notNull().default({}),
  createdAt: instant('created_at').notNull().default(now),
  /** Set: its name is free again, and what it used is being deleted, page by page. */
  deletedAt: instant('deleted_at')
}, table => [
  unique().on(table.environment, table.name),
  index('orgs_environment_id').on(table.environment, table.id),
  // For a prefix, which an index in the database's own collation does not find.
  index('orgs_environment_name_prefix').on(table.environment, table.name.op('text_pattern_ops')),
  // Cut, as an entry of an index has a bound: a query compares the whole as well.
  index('orgs_email').on(table.environment, sql`lower(left(info->>'email', 320))`).where(sql`info->>'email' is not null`),
  index('orgs_billing_id').on(table.environment, sql`left(info->>'billingId', 320)`).where(sql`info->>'billingId' is not null`),
  index('orgs_without_billing_id').on(table.environment, table.id).where(sql`info->>'billingId' is null and deleted_at is null`)
])

export const subscriptions = pgTable('subscriptions', {
  org: integer('org').notNull().references(() => orgs.id),
  /** Counted per environment; the smaller is the older. */
  id: bigint('id', { mode: 'number' }).notNull(),
  plan: integer('plan').notNull().references(() => plans.id),
  /** Set: only this feature of the plan is held (Tier's fragment). */
  feature: integer('feature').references(() => features.id),
  startsAt: instant('starts_at').notNull(),
  endsAt: instant('ends_at'),
  status: text('status').$type<SubscriptionStatus>().notNull(),
  anchorAt: instant('anchor_at').notNull(),
  timeZone: text('time_zone').notNull(),
  phaseAt: instant('phase_at').notNull(),
  metadata: metadata()
}, table => [
  primaryKey({ columns: [table.org, table.id] }),
  index('subscriptions_id').on(table.id),
  index('subscriptions_plan').on(table.plan, table.org)
])

/**
 * What a customer was sent to a page to confirm. It is kept after it was confirmed, so that a link works once, and for whoever
 * asks later. No foreign keys: it keeps nothing else from being deleted.
 */
export const checkouts = pgTable('checkouts', {
  id: uuid('id').primaryKey(),
  environment: text('environment').notNull(),
  /** null: whoever confirms becomes a new org. */
  org: integer('org'),
  /** `plan:pro@1`, `feature:x@plan:pro@1`; none: the customer is asked for a way to pay, and nothing else. */
  features: text('features').array().notNull(),
  /** They are added to what the org holds; else they replace it. */
  adds: boolean('adds').notNull().default(false),
  trialDays: integer('trial_days').notNull(),
  /** null: the page says that it was confirmed, and leads nowhere. */
  successUrl: text('success_url'),
  cancelUrl: text('cancel_url'),
  /** In its environment's time, as is `completedAt`. */
  expiresAt: instant('expires_at').notNull(),
  completedAt: instant('completed_at'),
  /** The clock on the wall: old ones are deleted. */
  createdAt: instant('created_at').notNull().default(now)
}, table => [index('checkouts_created_at').on(table.createdAt)])

/** What one org is granted of a feature in place of its entitlement's limit, from one instant to another. */
export const overrides = pgTable('overrides', {
  org: integer('org').notNull().references(() => orgs.id),
  feature: integer('feature').notNull().references(() => features.id),
  startsAt: instant('starts_at').notNull(),
  endsAt: instant('ends_at'),
  /** null: unlimited */
  limit: amount('limit'),
  /** null: as the entitlement has it */
  overage: boolean('overage'),
  reason: text('reason').notNull()
}, table => [primaryKey({ columns: [table.org, table.feature, table.startsAt] })])

/**
 * The ledger: append-only. No foreign keys here or on counters: these two are written in bulk, under the org's lock.
 * `seq` is taken under that lock, so within an org it is the order of arrival.
 */
export const events = pgTable('events', {
  org: integer('org').notNull(),
  id: text('id').notNull(),
  seq: bigint('seq', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
  feature: integer('feature').notNull(),
  at: instant('at').notNull(),
  windowStart: instant('window_start').notNull(),
  windowEnd: instant('window_end'),
  amount: amount('amount').notNull(),
  mode: text('mode').$type<EventMode>().notNull(),
  refersTo: text('refers_to'),
  reason: text('reason'),
  actor: text('actor'),
  /** The change this event made to the window's counter: their sum is the counter. */
  delta: amount('delta').notNull(),
  usedAfter: amount('used_after').notNull(),
  limitAfter: amount('limit_after'),
  /** Units held beside `usedAfter`; null: none. */
  reservedAfter: amount('reserved_after'),
  /** 128 bits of SHA-256 over the request as it was sent. */
  fingerprint: uuid('fingerprint').notNull(),
  properties: jsonb('properties')
}, table => [
  primaryKey({ columns: [table.org, table.id] }),
  index('events_org_feature_at').on(table.org, table.feature, table.at),
  // For reading the events of all orgs in their order of arrival.
  index('events_seq').on(table.seq),
  // The corrections of an event.
  index('events_refers_to').on(table.org, table.refersTo, table.seq).where(sql`refers_to is not null`),
  // Where a window has none after an event of a sum, what that event added can be taken away without reading the others.
  index('events_not_adding').on(table.org, table.feature, table.windowStart, table.seq).where(sql`mode = 'set' or amount < 0`)
])

export type EventMode = 'add' | 'set' | 'void' | 'amend'

/** Derived: every row can be rebuilt from the events of its window. */
export const counters = pgTable('counters', {
  org: integer('org').notNull(),
  feature: integer('feature').notNull(),
  windowStart: instant('window_start').notNull(),
  windowEnd: instant('window_end'),
  used: amount('used').notNull(),
  reserved: amount('reserved').notNull(),
  version: bigint('version', { mode: 'number' }).notNull(),
  /** The version that the last write had read; it is asserted against `version` as it writes. */
  basedOn: bigint('based_on', { mode: 'number' }).notNull(),
  lastAt: instant('last_at'),
  /** The earliest instant at which held units stop counting; a reader past it asks the ledger. */
  reservedUntil: instant('reserved_until')
}, table => [primaryKey({ columns: [table.org, table.feature, table.windowStart] })])

/**
 * Units that are held for a while. A row past its `expiresAt` holds nothing, whatever its state says. As events, they are
 * written under the org's lock, and have no foreign keys.
 */
export const reservations = pgTable('reservations', {
  org: integer('org').notNull(),
  id: text('id').notNull(),
  feature: integer('feature').notNull(),
  /** The instant of the hold, by which its commit counts. */
  at: instant('at').notNull(),
  windowStart: instant('window_start').notNull(),
  windowEnd: instant('window_end'),
  amount: amount('amount').notNull(),
  expiresAt: instant('expires_at').notNull(),
  state: text('state').$type<ReservationState>().notNull(),
  /** The figures of the first answer. */
  used: amount('used').notNull(),
  reserved: amount('reserved').notNull(),
  limit: amount('limit'),
  /** 128 bits of SHA-256 over the request as it was sent. */
  fingerprint: uuid('fingerprint').notNull()
}, table => [
  primaryKey({ columns: [table.org, table.id] }),
  index('reservations_id').on(table.id),
  index('reservations_org_at').on(table.org, table.at, table.id),
  index('reservations_held').on(table.org, table.feature, table.windowStart, table.expiresAt).where(sql`state = 'held'`),
  index('reservations_expires_at').on(table.expiresAt)
])

/** What a request that creates something was answered, for whoever sends it again with the same `Idempotency-Key`. */
export const idempotencyKeys = pgTable('idempotency_keys', {
  environment: text('environment').notNull(),
  key: text('key').notNull(),
  /** 128 bits of SHA-256 over the request as it was sent. */
  fingerprint: uuid('fingerprint').notNull(),
  /** The clock on the wall. A request that has not ended long after it began never will: its process is gone. */
  startedAt: instant('started_at').notNull(),
  /** null while the first request runs */
  status: integer('status'),
  body: text('body')
}, table => [
  primaryKey({ columns: [table.environment, table.key] }),
  index('idempotency_keys_started_at').on(table.startedAt)
])
