import t, { type Test } from 'tap'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import {
  beginningOf, differences, documented, type Example, type Fixture, type Kana, kanaOn, loadPackages, loadUsers
} from './documented.ts'

type Form = 'object' | 'text'
const FORMS: readonly Form[] = ['object', 'text']

/** How a request may be sent. */
interface Mode {
  readonly name: string
  readonly query: string
  readonly variables: object | undefined
}

/** Canonical and as printed, each with its variables as an object and as text. */
function modesOf ({ id, query, variables, documentedQuery, documentedVariables }: Example): Mode[] {
  // Of two requests the document lost the variables: one has none, the other is printed with them elsewhere.
  const printed = documentedVariables ?? (id === '003-generateUserToken' ? variables : undefined)
  const wordings = [{ name: 'canonical', query, variables }]
  const all: Mode[] = documentedQuery === null ? wordings : [...wordings, { name: 'as printed', query: documentedQuery, variables: printed }]
  return all
}

withEachLedger(t, 'E9: what Kana\'s documents print, with variables as an object and as text', async (t, api) => {
  const known = new Map<string, Kana>()
  let environments = 0

  async function packagesOf (fixture: Fixture): Promise<Kana> {
    environments += 1
    const kana = await kanaOn(api, `kana-${environments}`, beginningOf(fixture))
    await loadPackages(kana, fixture)
    return kana
  }

  async function whole (packages: Kana, fixture: Fixture): Promise<Kana> {
    const kana = await packages.elsewhere(beginningOf(fixture))
    await loadUsers(kana, fixture)
    return kana
  }

  async function remembered (name: string, make: () => Promise<Kana>): Promise<Kana> {
    const kana = known.get(name) ?? await make()
    known.set(name, kana)
    return kana
  }

  /** A new data set, but for packages that nothing changes; and what only reads, or is refused, leaves all as it was. */
  async function dataFor ({ kind, fixture: name, query }: Example): Promise<Kana> {
    const fixture = documented.fixtures[name]
    if (fixture === undefined) throw new Error(`there is no fixture ${name}`)
    if (kind === 'mutation' && /(create|update)(Feature|Package)\(/.test(query)) return await whole(await packagesOf(fixture), fixture)
    const packages = await remembered(`packages of ${name}`, async () => await packagesOf(fixture))
    return kind === 'mutation' ? await whole(packages, fixture) : await remembered(name, async () => await whole(packages, fixture))
  }

  t.equal(documented.examples.length, 41)
  for (const example of documented.examples) await t.test(example.id, async t => await run(t, example, dataFor))
})

async function run (t: Test, example: Example, dataFor: (example: Example) => Promise<Kana>): Promise<void> {
  for (const { name, query, variables } of modesOf(example)) {
    for (const form of FORMS) {
      const kana = await dataFor(example)
      const answer = await kana.graphql(query, form === 'text' && variables !== undefined ? JSON.stringify(variables) : variables)
      t.strictSame(differences(example.expected, answer), [], `${name}, variables as ${form}`)
      if (example.kind !== 'error') t.equal(answer.errors, undefined)
    }
  }
}
