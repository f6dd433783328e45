import { type Catalog, catalog } from './catalog.ts'
import type { Database } from './database.ts'
import { type Environments, environmentStore } from './environments.ts'
import { type Ledger, ledger, type LedgerEvents } from './ledger.ts'
import { type LedgerReader, ledgerReader } from './ledger-reader.ts'
import { migrateLedger } from './migrate.ts'
import type { Mirror } from './mirror.ts'
import { type Orgs, orgStore } from './orgs.ts'
import { type Subscriptions, subscriptionStore } from './subscriptions.ts'

/** What operations tell metrics, besides what the ledger tells. */
export interface StoreEvents extends LedgerEvents {
  mirrorRead (result: 'hit' | 'stale' | 'failed'): void
  ledgerRead (): void
  /** Young mirror entries that were found to lag behind the ledger. */
  drift (entries: number): void
  degraded (): void
}

/** The ports that operations work on. */
export interface Stores {
  readonly catalog: Catalog
  readonly environments: Environments
  readonly orgs: Orgs
  readonly subscriptions: Subscriptions
  readonly ledger: Ledger
  readonly reader: LedgerReader
  readonly mirror: Mirror | undefined
  /** How old a mirror entry may be to be believed. */
  readonly mirrorAgeMaxMs: number
  readonly events: StoreEvents
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
export async function openStores ({ database, mirrorFor, mirrorAgeMaxMs, events }: StoresOptions): Promise<Stores> {
  const ledgerId = await migrateLedger(database)
  const mirror = mirrorFor?.(ledgerId)
  const plans = catalog(database)
  const orgs = orgStore(database, plans)
  const writer = ledger({ database, orgs, mirror, events })
  return {
    catalog: plans,
    environments: environmentStore(database),
    orgs,
    subscriptions: subscriptionStore(database, orgs),
    ledger: writer,
    reader: ledgerReader(database),
    mirror,
    mirrorAgeMaxMs,
    events,
    close: async () => {
      await writer.close()
      await mirror?.close()
      await database.close()
    }
  }
}
