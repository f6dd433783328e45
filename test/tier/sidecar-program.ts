/** A program of somebody who uses Tier's SDK and has set nothing up: the SDK starts `tier serve` for it. Prints what it learned. */
import { can, lookupLimits, push, report, subscribe, whoami } from 'tier'

const org = 'org:acme'
await push({ plans: { 'plan:free@0': { features: { 'feature:convert': { tiers: [{ upto: 3 }] } } } } } as never)
await subscribe(org, 'plan:free@0')
const before = await can(org, 'feature:convert')
await report(org, 'feature:convert', 3)
const after = await can(org, 'feature:convert')
const { usage } = await lookupLimits(org)
const { id } = await whoami()
console.log(JSON.stringify({ before: before.ok, after: after.ok, error: after.err?.message, usage, environment: id }))
// The pipe to its sidecar keeps it alive, for as long as it is wanted.
if (!process.argv.includes('--stay')) process.exit()
