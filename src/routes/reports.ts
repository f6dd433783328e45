import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { TollgateError } from '../errors.ts'
import { countingEach, type CountMode, type Item, itemId, type ItemResult } from '../operations/count-each.ts'
import { binaryCloudEvent, fromCloudEvent } from './cloud-events.ts'
import { consumeAnswer, ConsumeAnswer } from './consume.ts'
import { refusedItems } from './items.ts'
import { problemOf } from './problems.ts'
import { reportAnswer, ReportAnswer } from './report.ts'
import { Problem, problems } from './schemas.ts'
import { Clobber, SentUsage, type SentUsageBody, usageOf } from './sent-usage.ts'

const ITEMS_MAX = 1_000
const BODY_BYTES_MAX = 4 * 1024 * 1024
const NDJSON = ['application/x-ndjson', 'application/ndjson', 'application/jsonl']
const CLOUD_EVENT = 'application/cloudevents+json'
const CLOUD_EVENTS = 'application/cloudevents-batch+json'

const Mode = Type.Unsafe<CountMode>({
  type: 'string', enum: ['report', 'consume'], description: '`consume`: each item counts if the limit allows. `report` if absent'
})

const Body = Type.Object({
  reports: Type.Array(Type.Object({ ...SentUsage, clobber: Clobber }, { additionalProperties: false }), {
    minItems: 1, maxItems: ITEMS_MAX
  }),
  mode: Type.Optional(Mode)
}, {
  additionalProperties: false,
  examples: [{
    reports: [
      { org: 'org:acme', feature: 'feature:api-calls', n: 2, id: 'batch-1' },
      { org: 'org:acme', feature: 'feature:api-calls', n: 5, id: 'batch-2' }
    ]
  }]
})

const Result = Type.Unsafe<'counted' | 'duplicate' | 'refused'>({ type: 'string', enum: ['counted', 'duplicate', 'refused'] })

const Results = Type.Object({
  results: Type.Array(Type.Union([
    Type.Object({ result: Result, ...ReportAnswer.properties }),
    Type.Object({ result: Result, ...ConsumeAnswer.properties }),
    Type.Object({ result: Result, error: Problem })
  ]))
}, { description: 'One result for each item, in order' })

export const reportsRoutes: FastifyPluginAsyncTypebox = async app => {
  const countEach = countingEach(app.stores)
  app.addContentTypeParser<string>(NDJSON, { parseAs: 'string' }, (request, body, done) => app.readJson(request, fromLines(body), done))
  app.addContentTypeParser<string>([CLOUD_EVENT, CLOUD_EVENTS], { parseAs: 'string' }, app.readJson)

  app.post('/reports', {
    config: { scope: 'write', itemised: true },
    bodyLimit: BODY_BYTES_MAX,
    attachValidation: true,
    schema: {
      tags: ['main'],
      summary: 'Record usage, many at once',
      description: `Up to ${ITEMS_MAX} items, each counted by itself: a bad one harms no other. As JSON (also a bare array), as NDJSON ` +
        `(\`${NDJSON[0]}\`: one item a line), or as CloudEvents 1.0 (\`${CLOUD_EVENTS}\`, \`${CLOUD_EVENT}\`, or one in binary mode): there ` +
        '`subject` is the org, `type` the feature, with or without their prefixes, `time` is `at`, `<source>/<id>` the id, and `data` is `n`, or ' +
        'an object with `n`. An item without an `id` gets `<Idempotency-Key>/<index>`.',
      querystring: Type.Object({ mode: Type.Optional(Mode) }, { additionalProperties: false }),
      headers: Type.Object({
        'idempotency-key': Type.Optional(Type.String({ maxLength: 250, description: 'Names the items that have no id: a retry is free' }))
      }),
      body: Body,
      response: { 200: Results, ...problems }
    },
    preValidation: async request => { request.body = asReports(request) as typeof request.body }
  }, async request => {
    const refused = refusedItems(request, 'reports')
    const { body: { reports, mode: named }, query: { mode = named ?? 'report' }, headers, principal: { environment } } = request
    const key = headers['idempotency-key']
    const items = reports.map((sent, i) => orRefusal(() => itemOf(environment, mode, sent, refused.get(i), key, i)))
    const results = await countEach(mode, items)
    return { results: results.map(wire) }
  })
}

/** Lines that are no JSON become items that are refused. */
function fromLines (body: string): string {
  const lines = body.split('\n').map(line => line.trim()).filter(line => line !== '')
  return `{"reports":[${lines.map(line => isJson(line) ? line : '"not JSON"').join(',')}]}`
}

function isJson (line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

function asReports (request: FastifyRequest): unknown {
  const { body, headers: { 'content-type': type = '' } } = request
  const binary = binaryCloudEvent(request)
  const events = binary !== undefined ? [binary] : type.startsWith(CLOUD_EVENTS) ? body : type.startsWith(CLOUD_EVENT) ? [body] : undefined
  if (events === undefined) return Array.isArray(body) ? { reports: body } : body
  if (!Array.isArray(events)) throw new TollgateError('invalid_request', 'a batch of CloudEvents must be an array')
  return { reports: events.map(asReport) }
}

/** What is no CloudEvent becomes an item that is refused for the same reason. */
function asReport (event: unknown): unknown {
  return orRefusal(() => fromCloudEvent(event))
}

function itemOf (
  environment: string, mode: CountMode, sent: SentUsageBody, refused: TollgateError | undefined, key: string | undefined, index: number
): Item {
  if (sent instanceof TollgateError) return sent
  if (refused !== undefined) return refused
  if (mode === 'consume' && sent.clobber === true) {
    throw new TollgateError('invalid_request', 'clobber sets a total, whatever the limit; it cannot be consumed', { pointer: '/clobber' })
  }
  const id = sent.id ?? (key === undefined ? undefined : itemId(key, index))
  return usageOf(environment, sent, { id, idPointer: sent.id === undefined ? 'idempotency-key' : '/id' })
}

function orRefusal<T> (item: () => T): T | TollgateError {
  try {
    return item()
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return error
  }
}

function wire (result: ItemResult, index: number) {
  if (result instanceof TollgateError) return { result: 'refused' as const, error: problemAt(result, index) }
  if ('ok' in result) return consumeAnswer(result, result.ok ? resultOf(result) : 'refused')
  return reportAnswer(result, resultOf(result))
}

/** Whoever refused it knew the item only: `/n` becomes `/reports/3/n`. */
function problemAt (error: TollgateError, index: number) {
  const problem = problemOf(error)
  const place = `/reports/${index}`
  const placed = problem.errors?.map(({ pointer, detail }) =>
    ({ pointer: /^$|^\/(?!reports\/)/.test(pointer) ? `${place}${pointer}` : pointer, detail }))
  return placed === undefined ? problem : { ...problem, errors: placed }
}

function resultOf ({ duplicate }: { readonly duplicate: boolean }): 'counted' | 'duplicate' {
  return duplicate ? 'duplicate' : 'counted'
}
