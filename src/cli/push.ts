import { stringify } from 'lossless-json'
import { command, Failure, type Terminal } from './command.ts'
import { json as jsonText, plain } from './output.ts'

/** What became of one feature: Tier's words. */
interface Pushed {
  /** `feature:x@plan:y@1` */
  readonly feature: string
  readonly status: 'ok' | 'failed'
  readonly reason: string
}

interface TermChange {
  readonly term: string
  /** Absent: not said. */
  readonly before?: unknown
  readonly after?: unknown
}

interface Previewed {
  readonly plan: string
  readonly outcome: 'created' | 'exists' | 'refused'
  readonly reason: string | null
  readonly identical: boolean | null
  readonly features: readonly string[]
  readonly earlier: {
    readonly plan: string
    readonly orgs: unknown
    readonly orgsCapped: boolean
    readonly terms: readonly TermChange[]
    readonly features: ReadonlyArray<{ readonly feature: string, readonly change: string, readonly terms: readonly TermChange[] }>
  } | null
}

const EXISTS = 'plan already exists'
/** Tier has a link to Stripe in this column. */
const NO_LINK = '-'
const SIGNS: Readonly<Record<string, string>> = { added: '+', removed: '-', changed: '~' }

export const push = command({
  name: 'push',
  summary: 'publish the plans of a document',
  args: ['<file|url|->'],
  details: `The document may have comments and trailing commas. Prints a line per feature, with tabs:

  status  plan  feature  -  [reason]

Status is ok or failed; exit code 1 if anything failed. A plan never changes: to change one, push it as a new version.
With --dry-run nothing is pushed; the exit code is what that of the push would be.`,
  options: {
    'dry-run': { help: 'say what would be created, what exists, what is refused, and what a new version changes for whom' }
  },
  remote: true,
  examples: ['tollgate push pricing.json --dry-run', 'tollgate push pricing.json'],
  run: async ({ options, args: [from = '-'], json, terminal, connect }) => {
    const { readDocument } = await import('./document.ts')
    const document = await readDocument(from, process.stdin)
    const service = await connect()
    if (options['dry-run']) showPreview(await service.callExactly('POST', '/v1/push?dryRun=true', document), json, terminal)
    else showPushed(await service.callExactly('POST', '/v1/push', document), json, terminal)
  }
})

/** @throws Failure if not everything was created */
function showPushed (answer: unknown, json: boolean, { stdout }: Terminal): void {
  const { results } = answer as { results: Pushed[] }
  const lines = results.map(({ feature, status, reason }) => [status, ...partsOf(feature), NO_LINK, `[${reason}]`].map(plain).join('\t'))
  stdout.write(json ? jsonText(answer) : lines.map(line => `${line}\n`).join(''))
  const failed = results.filter(({ status }) => status === 'failed')
  if (failed.length === 0) return
  // Tier's sentence, for which its users search; though nothing here aborts what could be created.
  if (failed.every(({ reason }) => reason === EXISTS)) {
    throw new Failure('illegal attempt to push features to existing plan(s); aborting.\na plan never changes: push it as a new version')
  }
  throw new Failure(failed.length === 1 ? '1 feature was not pushed' : `${failed.length} features were not pushed`)
}

/** `feature:x@plan:y@1` as its plan and its feature. */
export function partsOf (featurePlan: string): [plan: string, feature: string] {
  const at = featurePlan.indexOf('@')
  return [featurePlan.slice(at + 1), featurePlan.slice(0, at)]
}

/** @throws Failure if a push would not create everything */
function showPreview (answer: unknown, json: boolean, { stdout }: Terminal): void {
  const { plans } = answer as { plans: Previewed[] }
  stdout.write(json ? jsonText(answer) : plans.flatMap(linesOf).map(line => `${plain(line)}\n`).join(''))
  const wrong = plans.filter(({ outcome }) => outcome !== 'created')
  if (wrong.length > 0) throw new Failure(`${wrong.length} of ${plans.length} plans would not be created`)
}

function linesOf ({ plan, outcome, reason, identical, features, earlier }: Previewed): string[] {
  if (outcome === 'refused') return [`refused  ${plan}: ${reason}`]
  if (outcome === 'exists') return [`exists   ${plan}, ${identical === true ? 'and says the same' : 'and says something else: push it as a new version'}`]
  if (earlier === null) return [`created  ${plan}`, ...features.map(feature => `  + ${feature}`)]
  const { orgs, orgsCapped } = earlier
  const holders = `${orgsCapped ? 'more than ' : ''}${orgs} ${String(orgs) === '1' && !orgsCapped ? 'org holds' : 'orgs hold'} that`
  const changes = [
    ...earlier.terms.map(change => `  ~ ${termText(change)}`),
    ...earlier.features.map(({ feature, change, terms }) => `  ${SIGNS[change] ?? change} ${feature}  ${terms.map(termText).join('; ')}`)
  ]
  return [`created  ${plan}, after ${earlier.plan}; ${holders}`, ...(changes.length === 0 ? ['  = the same'] : changes)]
}

/** `limit 1000 -> 5000` */
function termText ({ term, before, after }: TermChange): string {
  const [from, to] = [valueText(term, before), valueText(term, after)]
  return [term, ...(from !== '' && to !== '' ? [from, '->', to] : [from, to].filter(text => text !== ''))].join(' ')
}

function valueText (term: string, value: unknown): string {
  if (value === undefined) return ''
  if (term === 'limit' && value === null) return 'unlimited'
  return typeof value === 'string' ? value : stringify(value) ?? ''
}
