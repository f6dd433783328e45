/**
 * Of every connection to a server: a frozen replica must not hold an org's lock for ever, so each wait is bounded. Not of the
 * embedded ledger, where nobody else waits, and where PGlite 0.5, as a wait ends after its process was frozen, goes into a loop for
 * ever.
 */
export const WAIT_SETTINGS = {
  statement_timeout: '5s',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '5s'
} as const

/**
 * Session settings of every connection. Every statement of ours finds its rows by key; the planner, which before the first ANALYZE
 * guesses that tables are tiny, would otherwise settle on scanning and hashing them, and keep that plan for the prepared statement's
 * life. Where a scan is the only way, it thinks the world of its cost: it must not compile the statement or start processes for it.
 */
export const SESSION_SETTINGS = {
  TimeZone: 'UTC',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_seqscan: 'off',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  plan_cache_mode: 'force_generic_plan'
} as const
