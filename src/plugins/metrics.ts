import fp from 'fastify-plugin'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { OUTAGE_POLICIES } from '../domain/entitlement.ts'
import type { StoreEvents } from '../storage/stores.ts'

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** One process's figures. Labels are few and closed: never an org, a feature or an id. */
export interface Metrics extends StoreEvents {
  readonly registry: Registry
  request (method: string, route: string, status: number, seconds: number): void
  /** Let through while the counts of the rate limit were away. */
  uncountedRequest (): void
  /** Whoever reads the log has stopped reading. */
  logLineLost (): void
  /** @param open reads the number of open connections */
  watchConnections (open: () => Promise<number>): void
  /** It found no place. */
  connectionRefused (): void
  /** Deleted for their age. */
  eventsPruned (events: number): void
  /** Ended, as their process was not heard of any more. */
  transactionsAbandoned (transactions: number): void
  /** @param waiting reads the length of the ledger's queue */
  watchQueue (waiting: () => number): void
}

/** @param warn told about failures that no caller hears of */
export function createMetrics (warn: (error: unknown, message: string) => void): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Counter<Label> =>
    new Counter({ name: `tollgate_${name}`, help, labelNames, registers })
  const histogram = <Label extends string = never>(
    name: string, help: string, buckets: number[], labelNames: Label[] = []
  ): Histogram<Label> => new Histogram({ name: `tollgate_${name}`, help, buckets, labelNames, registers })

  const requests = histogram('http_request_duration_seconds', 'Time to answer', SECONDS, ['method', 'route', 'status'])
  /** As many as there are routes and statuses: looking labels up anew costs more than observing. */
  const observers = new Map<string, Histogram.Internal<'method' | 'route' | 'status'>>()
  const batches = histogram('ledger_batch_events', 'Events in one ledger transaction', [1, 2, 5, 10, 20, 50, 100, 200, 500])
  const ahead = counter('ledger_batches_ahead_total', 'Ledger transactions that were written without reading first')
  const commits = histogram('ledger_commit_duration_seconds', 'Time of one ledger transaction, lock to commit', SECONDS)
  const retries = counter('ledger_retries_total', 'Ledger transactions run again', ['reason'])
  const unknown = counter('ledger_unknown_outcomes_total', 'Events whose outcome could not be found out in time')
  const reads = counter('ledger_reads_total', 'Questions answered from the ledger')
  const mirrorReads = counter('mirror_reads_total', 'Questions put to the mirror', ['result'])
  // Looked up once: they are counted in every verdict.
  const mirrorRead = {
    hit: mirrorReads.labels('hit'), stale: mirrorReads.labels('stale'), failed: mirrorReads.labels('failed'), skipped: mirrorReads.labels('skipped')
  }
  const abandoned = counter('ledger_abandoned_transactions_total', 'Transactions ended whose process was not heard of any more')
  const drift = counter('mirror_drift_total', 'Mirror entries found to lag behind the ledger')
  const failedPublishes = counter('mirror_publish_failures_total', 'Publications that the mirror did not take')
  const degraded = counter('degraded_answers_total', 'Answers without the ledger, by policy of the feature', ['policy'])
  // From the start at 0, so that the first one is an increase.
  for (const policy of OUTAGE_POLICIES) degraded.inc({ policy }, 0)
  let countConnections: () => Promise<number> = async () => 0
  const connections: Gauge = new Gauge({
    name: 'tollgate_http_connections',
    help: 'Open connections',
    registers,
    collect: async () => connections.set(await countConnections())
  })
  const refused = counter('http_connections_refused_total', 'Connections closed at once, as all places were taken')
  const uncounted = counter('rate_limit_uncounted_requests_total', 'Requests let through while Redis could not count them')
  const lostLines = counter('log_lines_lost_total', 'Log lines lost because nobody read them')
  const pruned = counter('events_pruned_total', 'Events deleted for their age')

  return {
    registry,
    request: (method, route, status, seconds) => {
      const name = `${method} ${route} ${status}`
      const child = observers.get(name) ?? requests.labels(method, route, String(status))
      observers.set(name, child)
      child.observe(seconds)
    },
    watchConnections: open => { countConnections = open },
    connectionRefused: () => refused.inc(),
    uncountedRequest: () => uncounted.inc(),
    logLineLost: () => lostLines.inc(),
    eventsPruned: events => pruned.inc(events),
    transactionsAbandoned: transactions => {
      abandoned.inc(transactions)
      warn(new Error('their process was not heard of any more'), `ended ${transactions} transactions that held locks`)
    },
    watchQueue: waiting => {
      const gauge: Gauge = new Gauge({
        name: 'tollgate_ledger_waiting_events',
        help: 'Events that wait for a ledger transaction',
        registers,
        collect: () => gauge.set(waiting())
      })
    },
    batch: (events, commitMs, isAhead) => {
      batches.observe(events)
      if (isAhead) ahead.inc()
      commits.observe(commitMs / 1000)
    },
    retry: reason => retries.inc({ reason }),
    unknownOutcome: () => unknown.inc(),
    mirrorRead: result => mirrorRead[result].inc(),
    ledgerRead: () => reads.inc(),
    drift: entries => drift.inc(entries),
    degraded: policy => degraded.inc({ policy }),
    publishFailed: error => {
      failedPublishes.inc()
      warn(error, 'the mirror did not take a publication')
    }
  }
}

export interface MetricsOptions {
  readonly metrics: Metrics
}

/** `GET /metrics`, and one observation and one log line per request: its route, never its query, key or body. */
export default fp<MetricsOptions>(async (app, { metrics }) => {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    const ms = reply.elapsedTime
    metrics.request(request.method, route, reply.statusCode, ms / 1000)
    request.log.info({ reqId: request.id, method: request.method, route, status: reply.statusCode, ms: Math.round(ms * 100) / 100 }, 'request')
    done()
  })
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    await reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()))
}, { name: 'metrics' })
