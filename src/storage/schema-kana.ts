import { sql } from 'drizzle-orm'
import { bigint, boolean, index, integer, jsonb, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import type { Properties } from '../domain/properties.ts'
import { environments, instant, now, orgs, plans } from './schema.ts'

/** What a payment provider sells a plan for. Shown and linked to, never computed with: the plan's own prices are. */
export const planPrices = pgTable('plan_prices', {
  plan: integer('plan').notNull().references(() => plans.id),
  /** The provider's: `price_1L7NHvIiEnRX8aivoxbSWREF`. */
  id: text('id').notNull(),
  /** `STRIPE` */
  provider: text('provider').notNull(),
  /** Minor units. */
  amount: bigint('amount', { mode: 'number' }).notNull(),
  currency: text('currency').notNull(),
  /** `month`; null: paid once */
  interval: text('interval'),
  /** Their order is their owner's. */
  position: integer('position').notNull()
}, table => [primaryKey({ columns: [table.plan, table.id] }), index('plan_prices_id').on(table.id)])

/** Add-ons that may be taken on top of a base plan. One that no base names may be taken on top of any. */
export const planAddons = pgTable('plan_addons', {
  base: integer('base').notNull().references(() => plans.id),
  addon: integer('addon').notNull().references(() => plans.id)
}, table => [primaryKey({ columns: [table.base, table.addon] }), index('plan_addons_addon').on(table.addon)])

/** A plan at one of its prices, under a name by which links to it are made. */
export const billingTemplates = pgTable('billing_templates', {
  environment: text('environment').notNull().references(() => environments.name),
  id: text('id').notNull(),
  plan: integer('plan').notNull().references(() => plans.id),
  price: text('price').notNull(),
  createdAt: instant('created_at').notNull().default(now)
}, table => [primaryKey({ columns: [table.environment, table.id] }), index('billing_templates_plan').on(table.plan)])

/** The ids under which an org was known before others were merged into it. An org that has such an id comes first. */
export const orgAliases = pgTable('org_aliases', {
  environment: text('environment').notNull(),
  name: text('name').notNull(),
  org: integer('org').notNull().references(() => orgs.id),
  createdAt: instant('created_at').notNull().default(now)
}, table => [primaryKey({ columns: [table.environment, table.name] }), index('org_aliases_org').on(table.org)])

/** An event of Segment that is of this name and meets the conditions is one use of the feature. */
export const segmentRules = pgTable('segment_rules', {
  environment: text('environment').notNull(),
  id: uuid('id').notNull(),
  event: text('event').notNull(),
  /** All must hold: the value at this path of the event's properties. */
  conditions: jsonb('conditions').$type<ReadonlyArray<{ readonly path: string, readonly equals: unknown }>>().notNull(),
  feature: text('feature').notNull(),
  createdAt: instant('created_at').notNull().default(now)
}, table => [primaryKey({ columns: [table.environment, table.id] }), index('segment_rules_event').on(table.environment, table.event)])

/** Events that no rule maps as yet; one that does takes those that wait here, too. */
export const segmentEvents = pgTable('segment_events', {
  environment: text('environment').notNull(),
  /** Segment's `messageId`. */
  id: text('id').notNull(),
  seq: bigint('seq', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
  org: text('org').notNull(),
  event: text('event').notNull(),
  at: instant('at').notNull(),
  properties: jsonb('properties').$type<Properties>().notNull(),
  receivedAt: instant('received_at').notNull().default(now)
}, table => [
  primaryKey({ columns: [table.environment, table.id] }),
  unique('segment_events_event').on(table.environment, table.event, table.seq),
  // Old ones are deleted.
  index('segment_events_received_at').on(table.receivedAt)
])

export type ImportState = 'receiving' | 'applying' | 'done' | 'refused'

/** A file of orgs on its way in: received and checked as a whole, then applied in pages, by whoever finds it unfinished. */
export const orgImports = pgTable('org_imports', {
  id: uuid('id').primaryKey(),
  environment: text('environment').notNull(),
  state: text('state').$type<ImportState>().notNull(),
  /** One bad row refuses the whole file. */
  atomic: boolean('atomic').notNull(),
  received: integer('received').notNull().default(0),
  applied: integer('applied').notNull().default(0),
  created: integer('created').notNull().default(0),
  changed: integer('changed').notNull().default(0),
  refused: integer('refused').notNull().default(0),
  /** The first of what was refused, by line and column. */
  problems: jsonb('problems').notNull().default([]),
  createdAt: instant('created_at').notNull().default(now),
  /** The clock on the wall: one that nobody has worked on for long was abandoned. */
  touchedAt: instant('touched_at').notNull().default(now)
}, table => [
  index('org_imports_environment').on(table.environment, table.createdAt),
  index('org_imports_unfinished').on(table.touchedAt).where(sql`state in ('receiving', 'applying')`)
])

/** Rows that were received and are not applied yet. */
export const orgImportRows = pgTable('org_import_rows', {
  import: uuid('import').notNull(),
  line: integer('line').notNull(),
  org: text('org').notNull(),
  info: jsonb('info').$type<Properties>().notNull()
}, table => [primaryKey({ columns: [table.import, table.line] })])
