import type { OutagePolicy } from '../domain/entitlement.ts'
import { type Catalog, catalog } from './catalog.ts'
import { type Checkouts, checkoutStore } from './checkouts.ts'
import { type Clocks, clockStore } from './clocks.ts'
import { coalesce } from './coalesce.ts'
import { type CounterRepair, counterRepair } from './counter-repair.ts'
import type { Database } from './database.ts'
import { type Environments, environmentStore } from './environments.ts'
import { type EventLog, eventLog } from './event-log.ts'
import { type EvidenceReader, evidenceReader } from './evidence.ts'
import { type Features, featureStore } from './features.ts'
import { type IdempotencyKeys, idempotencyKeyStore } from './idempotency-keys.ts'
import { type Keys, keyStore } from './keys.ts'
import { type Ledger, ledger, type LedgerEvents } from './ledger.ts'
import { type LedgerReader, ledgerReader } from './ledger-reader.ts'
import { migrateLedger } from './migrate.ts'
import type { Mirror, Publication } from './mirror.ts'
import { type MirrorYield, mirrorYield } from './mirror-yield.ts'
import { type OrgDeletion, orgDeletion } from './org-deletion.ts'
import { type OrgImports, orgImportStore } from './org-imports.ts'
import { type OrgList, orgList } from './org-list.ts'
import { type OrgMerge, orgMerge } from './org-merge.ts'
import { type Orgs, orgStore } from './orgs.ts'
import { type Overrides, overrideStore } from './overrides.ts'
import { type Plans, planStore } from './plans.ts'
import { type PlanHolders, planHolders } from './plan-holders.ts'
import { type Reservations, reservationStore } from './reservations.ts'
import { type PlanSales, planSales } from './plan-sales.ts'
import { type Retention, retention } from './retention.ts'
import { type Segment, segmentStore } from './segment.ts'
import { type Subscriptions, subscriptionStore } from './subscriptions.ts'
import { type Verification, verification } from './verification.ts'
import { watched } from './watched.ts'

const CONFIRM_LIMITS = { batchMax: 500, inFlightMax: 2, waitingMax: 20_000 }

export type MirrorReadResult = 'hit' | 'stale' | 'failed' | 'skipped'

/** What operations tell metrics, besides what the ledger tells. */
export interface StoreEvents extends LedgerEvents {
  /** `skipped`: it was not read, as it hardly ever has what is asked for. */
  mirrorRead (result: MirrorReadResult): void
  ledgerRead (): void
  /** Young mirror entries that were found to lag behind the ledger. */
  drift (entries: number): void
  /** An answer was made without the ledger. */
  degraded (policy: OutagePolicy): void
}

/** The ports that operations work on. */
export interface Stores {
  readonly catalog: Catalog
  readonly plans: Plans
  readonly features: Features
  readonly environments: Environments
  readonly clocks: Clocks
  readonly keys: Keys
  readonly idempotencyKeys: IdempotencyKeys
  readonly orgs: Orgs
  readonly orgList: OrgList
  readonly orgImports: OrgImports
  readonly orgDeletion: OrgDeletion
  readonly orgMerge: OrgMerge
  readonly planHolders: PlanHolders
  readonly planSales: PlanSales
  readonly subscriptions: Subscriptions
  readonly checkouts: Checkouts
  readonly segment: Segment
  readonly overrides: Overrides
  readonly reservations: Reservations
  readonly ledger: Ledger
  readonly reader: LedgerReader
  readonly eventLog: EventLog
  readonly evidence: EvidenceReader
  readonly verification: Verification
  readonly counterRepair: CounterRepair
  readonly retention: Retention
  readonly mirror: Mirror | undefined
  readonly mirrorYield: MirrorYield
  /** How old a mirror entry may be to be believed. */
  readonly mirrorAgeMaxMs: number
  /** Names this ledger in Redis. */
  readonly ledgerId: string
  /** The ledger's: signs links that leave the service and come back. */
  readonly secret: string
  readonly events: StoreEvents
  /** Tells the mirror, with everything else that waits to be told, what the ledger has just answered. Nobody waits for it. */
  confirm (publication: Publication): void
  /** Ends transactions whose process was not heard of any more. @returns how many */
  endAbandoned (): Promise<number>
  close (): Promise<void>
}

export interface StoresOptions {
  readonly database: Database
  /** Told the ledger's id, which names its keys; absent: every read goes to the ledger. */
  readonly mirrorFor?: ((ledgerId: string) => Mirror) | undefined
  readonly mirrorAgeMaxMs: number
  readonly events: StoreEvents
}

/** Migrates, then opens. `close` drains the ledger and closes what was given. */
export async function openStores ({ database: unwatched, mirrorFor, mirrorAgeMaxMs, events }: StoresOptions): Promise<Stores> {
  const { id, secret } = await migrateLedger(unwatched)
  const database = watched(unwatched)
  const mirror = mirrorFor?.(id)
  const plans = catalog(database)
  const orgs = orgStore(database, plans)
  const confirm = mirror === undefined ? undefined : confirmations(mirror, events)
  const writer = ledger({ database, orgs, mirror, mirrorAgeMaxMs, events })
  return {
    catalog: plans,
    plans: planStore(database),
    features: featureStore(database),
    environments: environmentStore(database),
    clocks: clockStore(database),
    keys: keyStore(database),
    idempotencyKeys: idempotencyKeyStore(database),
    orgs,
    orgList: orgList(database, orgs),
    orgImports: orgImportStore(database),
    orgDeletion: orgDeletion(database),
    orgMerge: orgMerge(database, orgs),
    planHolders: planHolders(database),
    planSales: planSales(database),
    subscriptions: subscriptionStore(database, orgs),
    checkouts: checkoutStore(database),
    segment: segmentStore(database),
    overrides: overrideStore(database),
    reservations: reservationStore(database),
    ledger: writer,
    reader: ledgerReader(database),
    eventLog: eventLog(database),
    evidence: evidenceReader(database, orgs),
    verification: verification(database),
    counterRepair: counterRepair(database, orgs),
    retention: retention(database, orgs),
    mirror,
    mirrorYield: mirrorYield(),
    mirrorAgeMaxMs,
    ledgerId: id,
    secret,
    events,
    confirm: publication => { confirm?.(publication).catch(events.publishFailed) },
    endAbandoned: async () => await database.endAbandoned(),
    close: async () => {
      await writer.close()
      await mirror?.close()
      await database.close()
    }
  }
}

function confirmations (mirror: Mirror, events: StoreEvents): (publication: Publication) => Promise<void> {
  return coalesce(async publications => {
    events.drift(await mirror.publish(publications, Date.now()))
    return publications.map(() => undefined)
  }, CONFIRM_LIMITS)
}
