import { bareFastify, type CanQuery, LIMIT, listen, type ReportBody, schemasOfTheService } from './baseline.ts'

/** The service's three main calls without the service: the same requests, answers of the same shape, and nothing stored. */

const WINDOW = { start: '2026-01-01T00:00:00.000Z', end: '2026-02-01T00:00:00.000Z' }

const app = bareFastify()
const schemas = await schemasOfTheService()

app.get<{ Querystring: CanQuery }>('/v1/can', { schema: schemas.can }, async ({ query: { org, feature } }) => ({
  ok: true,
  reason: 'within_limit',
  org,
  feature,
  used: 1,
  reserved: 0,
  limit: LIMIT,
  remaining: LIMIT - 1,
  overage: 0,
  resetsAt: WINDOW.end,
  degraded: false
}))

app.post<{ Body: ReportBody }>('/v1/report', { schema: schemas.report }, async ({ body: { org, feature, n } }) => ({
  id: '019bb2a0-0000-7000-8000-000000000000',
  org,
  feature,
  used: n,
  reserved: 0,
  limit: LIMIT,
  remaining: LIMIT - n,
  window: WINDOW,
  duplicate: false
}))

app.post<{ Body: ReportBody }>('/v1/consume', { schema: schemas.consume }, async ({ body: { org, feature, n } }) => ({
  ok: true,
  reason: 'within_limit',
  id: '019bb2a0-0000-7000-8000-000000000000',
  org,
  feature,
  used: n,
  reserved: 0,
  limit: LIMIT,
  remaining: LIMIT - n,
  overage: 0,
  window: WINDOW,
  resetsAt: WINDOW.end,
  version: null,
  duplicate: false
}))

await listen(app)
