/** Whom a line asks. */
export type Side = keyof typeof SIDES

interface About {
  readonly name: string
  /** What its reports are counted in; undefined: nothing that could be looked into. */
  readonly ledger: LedgerName | undefined
}

export type LedgerName = 'main' | 'stored' | 'none' | 'embedded' | 'hand' | 'copied'

export const LEDGERS: Readonly<Record<LedgerName, string>> = {
  main: 'PostgreSQL + Redis',
  stored: '2 million events stored',
  none: 'none stored',
  embedded: 'embedded',
  hand: 'hand-written',
  copied: 'bare COPY'
}

export const SIDES = {
  bare: { name: 'bare Fastify', ledger: undefined },
  servers: { name: 'PostgreSQL + Redis', ledger: 'main' },
  replicas: { name: 'the same, two replicas', ledger: 'main' },
  /** A process of its own on the main ledger, so that the others' memory shows what 1,000 orgs take. */
  many: { name: 'PostgreSQL + Redis', ledger: 'main' },
  stored: { name: 'the same, 2 million events stored', ledger: 'stored' },
  none: { name: 'the same, none stored', ledger: 'none' },
  embedded: { name: 'embedded', ledger: 'embedded' },
  hand: { name: 'hand-written', ledger: 'hand' },
  limiter: { name: 'rate-limiter-flexible', ledger: undefined },
  copy: { name: 'bare COPY', ledger: 'copied' }
} as const satisfies Readonly<Record<string, About>>
