import t from 'tap'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { explainSpecification } from './explain-specification.ts'

withEachLedger(t, 'explanations', explainSpecification)
