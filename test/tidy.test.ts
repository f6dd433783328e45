import t from 'tap'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { ROOT } from './fixtures/root.ts'

/** A rule says what is wrong with one file; its path is relative to the root, with slashes. */
type Rule = (path: string, text: string) => string[]

const NOT_OURS = ['.git', '.tap', 'data', 'dist', 'node_modules']
const LINES_MAX = 300
const PURE_LIBRARIES = ['temporal-polyfill']

/** Each line may import itself and the lines above it; so the first is everybody's. */
const LAYERS = [
  ['src/errors.ts'],
  ['src/domain/', 'src/redis-url.ts', 'src/config.ts'],
  ['src/storage/'],
  ['src/payments/'],
  ['src/operations/'],
  ['src/routes/', 'src/kana/', 'src/background/'],
  ['src/plugins/', 'src/pages/'],
  ['src/app.ts', 'src/log.ts', 'src/server.ts'],
  ['src/cli/']
]

const PRODUCT = /^src\//
const CODE = /^(src|test|bench)\//
// In pieces, so that this file keeps its own rules.
const PRIVATE_FOLDER = ['..', 'shared'].join('/')
const FOCUSED = new RegExp(['\\.on', 'ly\\s*\\(|\\bon', 'ly:\\s*true'].join(''))
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X'.repeat(3)].join('|')})\\b`)

const STATIC_IMPORT = /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm
const BARE_IMPORT = /^\s*import\s*['"]([^'"]+)['"]/gm
const DYNAMIC_IMPORT = /\bimport\s*\(\s*['"`]([^'"`]+)['"`]/g

const rules: Record<string, Rule> = {
  'imports point one way': (path, text) => {
    if (!PRODUCT.test(path) || !path.endsWith('.ts')) return []
    const layer = layerOf(path)
    if (layer === -1) return ['belongs to no layer; name its place in test/tidy.test.ts']
    return importsOf(text).flatMap(specifier => {
      if (!specifier.startsWith('.')) return []
      const target = posix.join(posix.dirname(path), specifier)
      if (!PRODUCT.test(target)) return isPlain(target) ? [] : [`imports ${target}, which is not part of the product`]
      const theirs = layerOf(target)
      return theirs === -1 || theirs > layer ? [`imports ${target}, which is not below it`] : []
    })
  },
  'the domain is pure': (path, text) => {
    if (!path.startsWith('src/domain/')) return []
    return importsOf(text)
      .filter(specifier => !specifier.startsWith('.') && !PURE_LIBRARIES.includes(specifier))
      .concat(importsOf(text).filter(specifier => posix.join('src/domain', specifier) === 'src/config.ts'))
      .map(specifier => `imports ${specifier}`)
  },
  'files are short': (path, text) => {
    const lines = text.replace(/\n$/, '').split('\n').length
    return CODE.test(path) && lines > LINES_MAX ? [`has ${lines} lines, more than ${LINES_MAX}`] : []
  },
  'only the entries read the environment': (path, text) => {
    if (!PRODUCT.test(path) || path === 'src/server.ts' || path.startsWith('src/cli/')) return []
    return /process\.env|process\[|\bnode:process\b/.test(text) ? ['mentions the environment of the process'] : []
  },
  'names are kebab-case and mean something': path => {
    if (!CODE.test(path) || path.endsWith('.md')) return []
    return path.split('/').slice(1).flatMap(name => {
      const stem = name.replace(/(\.test|\.d)?\.[a-z]+$/, '')
      if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) return [`${name} is not kebab-case`]
      if (/(^|-)(utils?|helpers?)($|-)/.test(stem)) return [`${name} says nothing about what it holds`]
      if (/-v\d+$/.test(stem)) return [`${name} has a version: replace the old one instead`]
      return name === 'index.ts' ? ['is a barrel'] : []
    })
  },
  'nothing is left for later': (path, text) => PRODUCT.test(path) ? (UNFINISHED.exec(text) ?? []).slice(1).map(mark => `has a ${mark}`) : [],
  'no test is focused': (path, text) => CODE.test(path) && FOCUSED.test(text) ? ['runs one test and leaves the others out'] : [],
  'nothing points out of the project': (_path, text) => text.includes(PRIVATE_FOLDER) ? [`mentions ${PRIVATE_FOLDER}`] : []
}

/** For each rule, files that break it. A rule that cannot fail is none. */
const offences: Record<string, [path: string, text: string][]> = {
  'imports point one way': [
    ['src/domain/plan.ts', "import { ledger } from '../storage/ledger.ts'\n"],
    ['src/storage/ledger.ts', "import type { Report } from '../operations/report.ts'\n"],
    ['src/operations/report.ts', "export { route } from '../routes/report.ts'\n"],
    ['src/routes/report.ts', "const auth = await import('../plugins/auth.ts')\n"],
    ['src/plugins/auth.ts', "import '../app.ts'\n"],
    ['src/errors.ts', "import {\n  parse,\n  format\n} from './domain/amount.ts'\n"],
    ['src/app.ts', "import { bench } from '../bench/run.ts'\n"],
    ['src/elsewhere/thing.ts', '']
  ],
  'the domain is pure': [
    ['src/domain/plan.ts', "import { readFile } from 'node:fs/promises'\n"],
    ['src/domain/plan.ts', "import { config } from '../config.ts'\n"]
  ],
  'files are short': [['test/long.test.ts', 'x\n'.repeat(LINES_MAX + 1)]],
  'only the entries read the environment': [
    ['src/app.ts', 'const port = process.env.PORT\n'],
    ['src/app.ts', "import { env } from 'node:process'\n"]
  ],
  'names are kebab-case and mean something': [
    ['src/storage/mirrorRedis.ts', ''],
    ['src/storage/date-utils.ts', ''],
    ['test/helpers/thing.ts', ''],
    ['src/domain/index.ts', ''],
    ['src/storage/ledger-v2.ts', '']
  ],
  'nothing is left for later': [['src/app.ts', `// ${'TO' + 'DO'}: close\n`]],
  'no test is focused': [['test/app.test.ts', `t.${'on' + 'ly'}('a', async () => {})\n`], ['test/app.test.ts', `t.test('a', { ${'on' + 'ly'}: true })\n`]],
  'nothing points out of the project': [['docs/scaling.md', `see ${PRIVATE_FOLDER}/design.md\n`]]
}

const innocent: [path: string, text: string][] = [
  ['src/domain/window.ts', "import { Temporal } from 'temporal-polyfill'\nimport { TollgateError } from '../errors.ts'\nimport { a } from './period.ts'\n"],
  ['src/kana/schema.ts', "import { report } from '../operations/report.ts'\nimport type { Limit } from '../domain/plan.ts'\n"],
  ['src/server.ts', "import { buildApp } from './app.ts'\nimport { loadConfig } from './config.ts'\nloadConfig(process.env)\n"],
  ['src/app.ts', "import manifest from '../package.json' with { type: 'json' }\n"],
  ['test/storage/mirror-redis.test.ts', 'x\n'.repeat(LINES_MAX)]
]

function importsOf (text: string): string[] {
  return [STATIC_IMPORT, BARE_IMPORT, DYNAMIC_IMPORT].flatMap(pattern => [...text.matchAll(pattern)].map(([, specifier = '']) => specifier))
}

function layerOf (path: string): number {
  return LAYERS.findIndex(members => members.some(member => member.endsWith('/') ? path.startsWith(member) : path === member))
}

/** Data beside the product: `package.json`, for the version. */
function isPlain (path: string): boolean {
  return path.endsWith('.json')
}

function ourFiles (folder = ''): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true }).flatMap(entry => {
    if (NOT_OURS.includes(entry.name)) return []
    return entry.isDirectory() ? ourFiles(`${folder}${entry.name}/`) : [`${folder}${entry.name}`]
  })
}

t.test('every rule can fail', async t => {
  t.strictSame(Object.keys(offences), Object.keys(rules))
  for (const [name, rule] of Object.entries(rules)) {
    for (const [path, text] of offences[name] ?? []) t.not(rule(path, text).length, 0, `${name}: ${path}`)
    for (const [path, text] of innocent) t.strictSame(rule(path, text), [], `${name}: ${path} is fine`)
  }
})

t.test('the tree keeps every rule', async t => {
  const files = ourFiles().map(path => [path, readFileSync(new URL(path, ROOT), 'utf8')] as const)
  t.ok(files.some(([path]) => path === 'src/errors.ts'), 'the tree was found')
  for (const [name, rule] of Object.entries(rules)) {
    t.strictSame(files.flatMap(([path, text]) => rule(path, text).map(problem => `${path} ${problem}`)), [], name)
  }
})
