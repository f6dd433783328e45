// Plain JavaScript, so that the thread starts the same from the sources and from the build.
import { PGlite, types } from '@electric-sql/pglite'
import { parentPort, workerData } from 'node:worker_threads'

/** @typedef {import('./database.ts').Statement} Statement */
/** @typedef {import('./database.ts').Result} Result */
/** @typedef {{ id: number, statements: readonly Statement[], stop: boolean }} Question */
/** @typedef {{ id: number, results?: Result[], error?: { message: string, code: string | undefined } }} Answer */

/** What drizzle's tables map arrives as Postgres's text, as it does from the other driver. */
const asText = (/** @type {string} */ text) => text
const TEXT_TYPES = [types.INT8, types.NUMERIC, types.TIMESTAMPTZ, types.TIMESTAMP, types.DATE]
/** bool[], int4[], text[], int8[], numeric[], timestamptz[], uuid[] */
const ARRAYS = [1000, 1007, 1009, 1016, 1231, 1185, 2951]
const parsers = Object.fromEntries([...TEXT_TYPES, ...ARRAYS].map(type => [type, asText]))

const ledger = await PGlite.create(workerData.folder)
// Given with a query, they would be copied together with PGlite's own, a thousand, for each.
Object.assign(ledger.parsers, parsers)
await ledger.exec(workerData.settings)

/** @type {Promise<unknown>} */
let turn = Promise.resolve()

parentPort?.on('message', (/** @type {Question} */ question) => {
  turn = turn.then(async () => parentPort?.postMessage(await answer(question)))
})

/**
 * @param {Question} question
 * @returns {Promise<Answer>}
 */
async function answer ({ id, statements, stop }) {
  try {
    /** @type {Result[]} */
    const results = []
    for (const { text, params } of statements) {
      const { fields, rows } = await ledger.query(text, [...params], { rowMode: 'array' })
      results.push({ columns: fields.map(field => field.name), rows: /** @type {unknown[][]} */ (rows) })
    }
    if (stop) await ledger.close()
    return { id, results }
  } catch (error) {
    const { message, code } = /** @type {{ message: string, code?: string }} */ (error)
    return { id, error: { message, code } }
  }
}
