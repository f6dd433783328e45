import fc from 'fast-check'
import { test } from 'tap'
import {
  holdingText, isEnvironmentName, parseEventId, parseFeature, parseHolding, parseOrg, parsePlanRef, planText
} from '../../src/domain/ids.ts'
import { TollgateError } from '../../src/errors.ts'

const NUL = 'a\0b'
const LONE = 'a\ud83d'
const UNPRINTABLE = [NUL, LONE, '\udc00', 'a\nb', 'a\u007f', 'a\u0085', 'a\u200b', 'a\u202e', '\ufeffa', 'a\u2028', 'a\u2029']

/** For the names of assertions: TAP knows more line ends than JSON escapes. */
function quoted (text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function refusal (parse: () => unknown): unknown {
  try {
    return { accepted: parse() }
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return [error.code, error.message, ...error.problems.map(({ pointer }) => pointer)]
  }
}

test('an org is any printable text after its prefix', async t => {
  const good = ['org:acme', 'org:auth0|5f7c', 'org:a b', 'org:org:', 'org:jane@example.com', 'org:日本', 'org:👩‍👩'.replace('\u200d', ''),
    'org:e\u0301', `org:${'x'.repeat(255)}`, "org:';drop--", 'org:a/b?c#d', 'org:a:b', 'org:__proto__']
  for (const text of good) t.equal(parseOrg(text), text)
})

test("an org that is not well formed is refused, without its prefix in Tier's words", async t => {
  for (const text of ['', 'acme', 'ORG:a', ' org:a', 'org', 'orga', 'user:1']) {
    t.same(refusal(() => parseOrg(text)), ['invalid_request', 'org must be prefixed with "org:"', '/org'], quoted(text))
  }
  const detail = 'org must be "org:" and 1 to 255 printable characters without leading or trailing space'
  for (const name of ['', ' ', ' a', 'a ', '\u00a0a', 'a\u3000', 'x'.repeat(256), ...UNPRINTABLE]) {
    t.same(refusal(() => parseOrg(`org:${name}`, '?org')), ['invalid_id', detail, '?org'], quoted(name))
  }
})

test('a feature is any printable text after its prefix, without @ or space', async t => {
  for (const name of ['calls', 'api-calls', 'a:b', 'a.b_c/d', 'ключ', 'feature:', 'x'.repeat(240)]) {
    t.equal(parseFeature(`feature:${name}`), `feature:${name}`)
  }
})

test("a feature that is not well formed is refused in Tier's words", async t => {
  for (const text of ['', 'calls', 'Feature:a', 'features:a', 'plan:a@0']) {
    t.same(refusal(() => parseFeature(text)), ['invalid_request', "feature name must start with 'feature:'", '/feature'])
  }
  const detail = 'feature name must match [a-zA-Z0-9:]+, or any 1 to 240 printable characters without "@" or space'
  for (const name of ['', 'a@0', 'a@plan:b@0', 'a b', ' a', 'a\u00a0', 'x'.repeat(241), ...UNPRINTABLE]) {
    t.same(refusal(() => parseFeature(`feature:${name}`, '?feature')), ['invalid_request', detail, '?feature'], quoted(name))
  }
})

test('a plan has a name and a version', async t => {
  t.same(parsePlanRef('plan:pro@1', '/'), { name: 'plan:pro', version: '1' })
  t.same(parsePlanRef('plan:a:b-c@2024-01_b.1', '/'), { name: 'plan:a:b-c', version: '2024-01_b.1' })
  const long = `plan:${'x'.repeat(240)}@${'9'.repeat(240)}`
  t.equal(planText(parsePlanRef(long, '/')), long)
})

test("a plan that is not well formed is refused in Tier's words, in Tier's order", async t => {
  const start = "plan name must start with 'plan:'"
  const name = 'plan name must match [a-zA-Z0-9:]+, or any 1 to 240 printable characters without "@" or space'
  const version = 'plan version must match [a-zA-Z0-9]+, or letters, digits and ". _ -"'
  const cases: Array<[string, string]> = [
    ['', start], ['pro@1', start], ['feature:x', start], ['PLAN:a@0', start],
    ['plan:pro', 'plan must have version'], ['plan:pro@', 'plan must have version'], ['plan:', 'plan must have version'],
    ['plan:a b', 'plan must have version'],
    ['plan:@1', name], ['plan:a b@1', name], [`plan:${'x'.repeat(241)}@1`, name],
    ...UNPRINTABLE.map(text => [`plan:${text}@1`, name] as [string, string]),
    ['plan:a@b@c', version], ['plan:a@1 ', version], ['plan:a@ü', version], ['plan:a@1/2', version], ['plan:a@1\n', version],
    [`plan:a@${'9'.repeat(241)}`, version]
  ]
  for (const [text, detail] of cases) {
    t.same(refusal(() => parsePlanRef(text, '/phases/0/features/0')), ['invalid_request', detail, '/phases/0/features/0'], quoted(text))
  }
})

test('a phase lists plans, or features of plans', async t => {
  t.same(parseHolding('plan:pro@1', '/'), { plan: { name: 'plan:pro', version: '1' }, feature: null })
  t.same(parseHolding('feature:x@plan:pro@1', '/'), { plan: { name: 'plan:pro', version: '1' }, feature: 'feature:x' })
  for (const text of ['plan:pro@1', 'feature:api-calls@plan:a:b@0.1']) t.equal(holdingText(parseHolding(text, '/')), text)
})

test("what a phase cannot list is refused in Tier's words: without a version, in those of plans", async t => {
  const cases: Array<[string, string]> = [
    ['feature:x', "plan name must start with 'plan:'"], ['x', "plan name must start with 'plan:'"], ['plan:x', 'plan must have version'],
    ['feature:@plan:a@0', 'feature plan name must match [a-zA-Z0-9:]+'],
    ['feature:a b@plan:a@0', 'feature plan name must match [a-zA-Z0-9:]+'],
    [`feature:${NUL}@plan:a@0`, 'feature plan name must match [a-zA-Z0-9:]+'],
    ['feature:x@', 'feature plan must have version'],
    ...['feature:x@0!', 'feature:x@0@0', 'feature:x@plan:a', 'feature:x@plan:a@', 'feature:x@plan:@0', 'feature:x@plan:a@b@c'].map(text =>
      [text, 'feature plan version must match [a-zA-Z0-9]+ or be a valid plan'] as [string, string])
  ]
  for (const [text, detail] of cases) t.same(refusal(() => parseHolding(text, '/p')), ['invalid_request', detail, '/p'], quoted(text))
})

test('a feature of a version of its own is well formed, as Tier has it, and never there: features come in plans', async t => {
  t.same(refusal(() => parseHolding('feature:x@0', '/p')), ['TERR1020', 'feature or plan not found', '/p'])
})

test('an event id is 1 to 255 printable characters', async t => {
  for (const id of ['0', 'a b', '018f3e1c-7c1a-7000-8000-000000000000', 'x'.repeat(255)]) t.equal(parseEventId(id), id)
  for (const id of ['', 'x'.repeat(256), ...UNPRINTABLE]) {
    t.same(refusal(() => parseEventId(id)), ['invalid_id', 'id must be 1 to 255 printable characters', '/id'], quoted(id))
  }
})

test('an environment has a short lower-case name', async t => {
  for (const name of ['live', 'test', 'a', 'clock-1', 'a'.repeat(63)]) t.ok(isEnvironmentName(name), name)
  for (const name of ['', 'Live', '1a', '-a', 'a_b', 'a'.repeat(64), 'a\n', 'é']) t.notOk(isEnvironmentName(name), quoted(name))
})

test('whatever text arrives, it is read back as it is or refused with a reason', async t => {
  const [prefix, suffix] = [fc.constantFrom('org:', 'feature:', 'plan:', ''), fc.constantFrom('', '@0', '@plan:a@0')]
  const name = fc.oneof(fc.string({ maxLength: 20 }), fc.array(fc.nat(0xffff)).map(units => String.fromCharCode(...units)))
  const text = fc.tuple(prefix, name, suffix).map(parts => parts.join(''))
  const parsers = [parseOrg, parseFeature, parseEventId, (text: string) => planText(parsePlanRef(text, '/')),
    (text: string) => holdingText(parseHolding(text, '/'))]
  fc.assert(fc.property(text, fc.constantFrom(...parsers), (text, parse) => {
    try {
      return parse(text) === text && !/[\0\p{Cs}]/u.test(text)
    } catch (error) {
      return error instanceof TollgateError && error.message !== '' && error.problems.length === 1
    }
  }), { numRuns: 3000 })
  t.pass()
})
