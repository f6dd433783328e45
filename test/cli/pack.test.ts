import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { temporaryFolder } from '../fixtures/guard.ts'
import { serve } from '../fixtures/process.ts'
import { ROOT as ROOT_URL } from '../fixtures/root.ts'

interface Packed {
  readonly filename: string
  /** Bytes. */
  readonly size: number
  readonly files: ReadonlyArray<{ readonly path: string }>
}

const ROOT = fileURLToPath(ROOT_URL)
const SOURCES = ['src', 'migrations', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'openapi.yaml', 'README.md', 'CHANGELOG.md']
/** More than half of it is GraphiQL, which is served without any request to others. */
const SIZE_MAX = 1_500_000
const WANTED = /^(dist\/.*|migrations\/(\d{4}_\w+\.sql|meta\/_journal\.json)|openapi\.yaml|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/
const UNWANTED = /\.(ts|map|tsbuildinfo)$|(^|\/)tests?\/|\.test\./

/** A copy, because packing builds from clean: others may be running what was built. */
const folder = temporaryFolder('pack')
t.teardown(() => rmSync(folder, { recursive: true }))
for (const path of SOURCES) cpSync(join(ROOT, path), join(folder, path), { recursive: true })
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
mkdirSync(join(folder, 'dist'))
writeFileSync(join(folder, 'dist', 'of-yesterday.js'), '')

// As a user has it: npm hands its own settings, and tap's, down to what it starts.
const env = { PATH: process.env.PATH, HOME: process.env.HOME }
const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' })) as [Packed]
const paths = packed.files.map(({ path }) => path)

t.test('the package has what runs, built from clean, and nothing else', async t => {
  t.strictSame(paths.filter(path => !WANTED.test(path) || UNWANTED.test(path) || path.includes('of-yesterday')), [])
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(path => /(?<!\.d)\.(ts|js|lua)$/.test(path))
  const missing = sources.map(path => `dist/${path.replace(/\.ts$/, '.js')}`).filter(path => !paths.includes(path))
  t.strictSame(missing, [])
  const migrations = readdirSync(join(ROOT, 'migrations')).filter(name => name.endsWith('.sql')).map(name => `migrations/${name}`)
  t.strictSame(migrations.filter(path => !paths.includes(path)), [])
  t.ok(packed.size < SIZE_MAX, `${packed.size} bytes`)
})

t.test('the package serves, with its data where it was started', async t => {
  execFileSync('tar', ['-xzf', packed.filename], { cwd: folder })
  const entry = join(folder, 'package', 'dist', 'cli', 'tollgate.js')
  t.match(readFileSync(entry, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  t.match(execFileSync(process.execPath, [entry, 'version'], { env, encoding: 'utf8' }), /^tollgate \d+\.\d+\.\d+\n$/)
  const sidecar = join(folder, 'package', 'dist', 'cli', 'tier.js')
  t.match(readFileSync(sidecar, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  t.match(execFileSync(process.execPath, [sidecar, 'help', 'serve'], { env, encoding: 'utf8' }), /^tier serve \[options\]\n/)
  const cwd = t.testdir()
  const service = await serve(t, { cwd, entry })
  t.equal((await fetch(`${service.url}/readyz`)).status, 200)
  t.match(await service.kill(), { code: 0 })
  t.ok(existsSync(join(cwd, 'data', 'ledger')))
})
