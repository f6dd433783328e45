import t from 'tap'
import { onEachLedger } from '../fixtures/each-ledger.ts'
import { clientSpecification } from './client-specification.ts'

onEachLedger(t, 'Kana\'s client SDK', async (t, on) => await clientSpecification(t, { on }))
