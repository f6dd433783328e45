import t from 'tap'
import { onEachLedger } from '../fixtures/each-ledger.ts'
import { sdkSpecification } from './sdk-specification.ts'

onEachLedger(t, 'the tier SDK', async (t, on) => await sdkSpecification(t, { on }))
