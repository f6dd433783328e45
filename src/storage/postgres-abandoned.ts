import { type Session, sqlState, type Statement } from './database.ts'

/** A wait that Postgres has ended: `query_canceled` for its time, `lock_not_available`. */
const WAITED_IN_VAIN = new Set(['57014', '55P03'])
/** As long as a transaction may be idle. */
const UNHEARD_SECONDS = 5
/** Longer than any statement of ours takes that answers with more than a connection takes at once. */
const UNREAD_SECONDS = 30

const END_ABANDONED: Statement = {
  text: `select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'tollgate' and usename = current_user and datname = current_database() and pid <> pg_backend_pid()
      and xact_start is not null and (wait_event = 'ClientRead' and query_start < clock_timestamp() - interval '${UNHEARD_SECONDS} s'
        or wait_event = 'ClientWrite' and query_start < clock_timestamp() - interval '${UNREAD_SECONDS} s')`,
  params: []
}

/**
 * Ends what died without a word while it held locks. A server whose client is gone waits for the rest of a statement, or for its answer
 * to be read, and counts that as neither the statement's time nor an idle transaction's: of its settings only `transaction_timeout`
 * would, which PostgreSQL 17 brought. Until TCP gives up, after two hours or never, nobody else could have those locks. So
 * whoever waited for one in vain sees to it that a transaction of ours, from whichever process, which has waited so long for its client is
 * ended, as one that is idle for so long is ended by the server. `docs/adr/0073-abandoned-transactions.md`
 *
 * @param onEnded told how many
 * @returns to be told of every failure
 */
export function abandonedTransactions (session: Session, onEnded: (transactions: number) => void): (error: unknown) => void {
  let ending = false
  return error => {
    if (ending || !WAITED_IN_VAIN.has(sqlState(error) ?? '')) return
    ending = true
    session.run([END_ABANDONED])
      .then(([ended]) => { if (ended !== undefined && ended.rows.length > 0) onEnded(ended.rows.length) })
      // Who waits in vain again tries again.
      .catch(() => {})
      .finally(() => { ending = false })
  }
}
