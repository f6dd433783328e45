import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import { createMetrics } from '../../src/plugins/metrics.ts'
import { runDocumented } from '../e2e/documented.ts'
import { findProgram } from '../fixtures/programs.ts'
import { ROOT } from '../fixtures/root.ts'

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'docs/operations.md', 'docs/scaling.md', 'docs/from-tier.md', 'docs/from-kana.md', 'test/tier/README.md', 'test/kana/README.md']
const RULES = 'deploy/prometheus/tollgate.rules.yaml'
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string }
}

const page = read('docs/operations.md')
const { groups } = parse(read(RULES)) as { groups: Array<{ rules: Rule[] }> }
const rules = groups.flatMap(group => group.rules)
const metrics = createMetrics(() => {})
metrics.watchQueue(() => 0)
const kinds = new Map(metrics.registry.getMetricsAsArray().map(({ name, type }) => [name, String(type)]))

/** As they stand in an expression, where a histogram is three. */
function namesIn (text: string): string[] {
  const names = [...text.matchAll(/\b(?:tollgate|nodejs|process)_[a-z0-9_]+\b(?!\*)/g)].map(([name]) => name)
  return names.map(name => kinds.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''))
}

t.test('the page names every metric of ours; it and the alerts name no other', async t => {
  const ours = [...kinds.keys()].filter(name => name.startsWith('tollgate_'))
  t.ok(ours.length >= 10)
  t.strictSame(ours.filter(name => !page.includes(`| \`${name}\` |`)), [])
  t.strictSame([...namesIn(page), ...rules.flatMap(({ expr }) => namesIn(expr))].filter(name => !kinds.has(name)), [])
  for (const { alert, expr } of rules) t.ok(alert === 'TollgateDown' || namesIn(expr).length > 0, alert)
})

t.test('what grows is read as a rate, and what does not is read as it is', async t => {
  const expressions = [...rules.map(({ expr }) => expr), ...page.split('```promql')[1]?.split('```')[0]?.split('\n') ?? []]
  for (const expression of expressions.filter(line => !line.startsWith('#'))) {
    for (const [, before, name = ''] of expression.matchAll(/(rate\(|increase\(|)(tollgate_[a-z_]+)/g)) {
      t.equal(before === '', kinds.get(namesIn(name)[0] as string) === 'gauge', `${name} in ${expression}`)
    }
  }
})

t.test('every alert says how urgent it is, what it means, and is in the page', async t => {
  for (const { alert, labels, annotations } of rules) {
    t.match(labels.severity, /^(page|ticket)$/, alert)
    t.ok(annotations.summary.length > 20)
  }
  const named = [...page.matchAll(/`(Tollgate[A-Z]\w+)`/g)].map(([, name]) => name)
  const alerts = rules.map(({ alert }) => alert)
  t.strictSame(named.filter(name => !alerts.includes(name as string)), [], 'the page names no other')
  t.strictSame(alerts.filter(name => !named.includes(name)), [], 'and every one')
})

t.test('a key made as the page says is one', { skip: findProgram('openssl') === undefined && 'no openssl found' }, async t => {
  const key = (await runDocumented('operations.md', 'new-key', '/', {})).trim()
  t.equal(loadConfig({ HOST: '0.0.0.0', TOLLGATE_ADMIN_KEY: key }).adminKey, key)
})

t.test('links between pages lead somewhere', async t => {
  const decisions = readdirSync(new URL('docs/adr/', ROOT)).map(name => `docs/adr/${name}`)
  for (const path of [...PAGES, ...decisions]) {
    for (const [, target = '', anchor] of read(path).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const url = target === '' ? new URL(path, ROOT) : new URL(target, new URL(path, ROOT))
      t.ok(existsSync(url), `${path}: ${target}`)
      if (anchor === undefined) continue
      const headings = [...readFileSync(url, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-'))
      t.ok(headings.includes(anchor), `${path}: #${anchor}`)
    }
  }
})
