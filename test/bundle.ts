import { build } from 'esbuild'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** What finds files of its own beside its code. */
const APART = ['@electric-sql/pglite', 'fs-native-extensions', '@fastify/swagger-ui']
const OURS = /^(\.|node:)/
const PACKAGE = /^(@[^/]+\/)?[^/]+/
/** For what is not a module of ECMAScript. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"

/**
 * Puts the packages of the product beside its compiled copy in a few files: they have a thousand, and to find and read these is a sixth
 * of a start. Ours stay as they are.
 *
 * @param folder with the compiled copy
 */
export async function bundlePackages (folder: string): Promise<void> {
  const imports = importsOf(join(folder, 'src')).filter(name => !APART.includes(packageOf(name)))
  const entries = new Map<string, string>()
  for (const name of imports) entries.set(name, `export { ${await namesOf(name)} } from '${name}'`)
  const modules = join(folder, 'node_modules')
  await build({
    entryPoints: Object.fromEntries(imports.map(name => [fileOf(name), name])),
    outdir: modules,
    chunkNames: 'shared-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    banner: { js: REQUIRE },
    logLevel: 'warning',
    plugins: [{
      name: 'entries',
      setup: plugin => {
        plugin.onResolve({ filter: /./ }, ({ path, kind }) => kind === 'entry-point' ? { path, namespace: 'entry' } : undefined)
        plugin.onLoad({ filter: /./, namespace: 'entry' }, ({ path }) => ({ contents: entries.get(path) ?? '', resolveDir: folder }))
      }
    }]
  })
  for (const name of new Set(imports.map(packageOf))) {
    const own = imports.filter(other => packageOf(other) === name)
    const exports = Object.fromEntries(own.map(other => [`.${other.slice(name.length)}`, `.${fileOf(other).slice(name.length)}.js`]))
    writeFileSync(join(modules, name, 'package.json'), JSON.stringify({ type: 'module', exports }))
  }
}

function importsOf (folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.js'))
  const names = files.flatMap(path => ts.preProcessFile(readFileSync(join(folder, path), 'utf8')).importedFiles.map(({ fileName }) => fileName))
  return [...new Set(names)].filter(name => !OURS.test(name))
}

const packageOf = (name: string) => PACKAGE.exec(name)?.[0] ?? name

const fileOf = (name: string) => name === packageOf(name) ? `${name}/index` : name

/** Those that node finds in it, so that they are the same. */
async function namesOf (name: string): Promise<string> {
  return Object.keys(await import(name)).filter(exported => exported !== 'module.exports').join(', ')
}
