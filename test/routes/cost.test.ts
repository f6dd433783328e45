import t from 'tap'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { costSpecification } from './cost-specification.ts'

withEachLedger(t, 'costs', costSpecification)
