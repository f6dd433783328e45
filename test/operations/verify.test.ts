import t from 'tap'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { counterRules } from './verify-specification.ts'

withEachLedger(t, 'counters beside their events', counterRules)
