import fc from 'fast-check'
import t from 'tap'
import { parsePlans, planDocument } from '../../src/domain/plan.ts'
import { planDocuments } from '../domain/plan-documents.ts'
import { type Api, openApi } from '../fixtures/api.ts'
import { sized } from '../fixtures/size.ts'

const RUNS = sized(100, 300)

const api = await openApi(t)
const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')

async function empty (): Promise<void> {
  await api.database.transaction(async session =>
    await session.run(['entitlements', 'plans', 'features'].map(table => ({ text: `delete from ${table}`, params: [] }))))
}

/** Pushes a document, as text, into an environment without plans, and answers what is then pulled. */
async function pulledAfter (api: Api, document: string): Promise<string> {
  const { status, raw } = await api.post('/v1/push', document)
  if (status !== 200 || raw.includes('"failed"')) throw new Error(`push answered ${raw}`)
  return (await api.get('/v1/pull')).raw
}

t.test('what was pulled, pushed into an empty environment, is pulled from there byte by byte the same', async t => {
  let plans = 0
  await fc.assert(fc.asyncProperty(planDocuments, async document => {
    await empty()
    const first = await pulledAfter(api, JSON.stringify(document))
    const meant = parsePlans(document).map(parsed => {
      if (!parsed.ok) throw new Error(parsed.reason)
      return parsed.plan
    })
    plans += meant.length
    return first === JSON.stringify(planDocument(meant)) && await pulledAfter(elsewhere, first) === first
  }), { numRuns: RUNS })
  t.ok(plans > RUNS / 2, `${plans} plans`)
})

t.end()
