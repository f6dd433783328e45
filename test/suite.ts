/**
 * All test files, or those that are named, side by side, each a process of its own, as one test. `test/run.ts` starts it from
 * the compiled copy. Not by tap's own runner, which gives each process, and each thread in it, three loaders and the source
 * maps of every library: half the time of a short file.
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { nodeArguments } from './fixtures/node.ts'
import { ROOT } from './fixtures/root.ts'

const JOBS = 2
const TEST = /\.test\.ts$/
/** Those that take longest start first, lest one of them runs alone at the end. */
const FIRST = [
  'test/fuzz/fuzz.test.ts'
]

function filesIn (folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true }).flatMap(entry => {
    if (entry.isDirectory()) return filesIn(`${folder}${entry.name}/`)
    return TEST.test(entry.name) ? [`${folder}${entry.name}`] : []
  })
}

const given = process.argv.slice(2)
/** Whoever names a file may want its long form. */
const FILE_TIMEOUT_MS = given.length > 0 ? 1_200_000 : 120_000
const all = filesIn('test/').sort()
const files = given.length > 0 ? given : [...FIRST, ...all.filter(file => !FIRST.includes(file))]

t.setTimeout(0)
t.jobs = JOBS
t.plan(files.length)
for (const name of files) {
  if (!existsSync(new URL(name, ROOT))) throw new Error(`there is no ${name}`)
  // By way of env, because tap adds NODE_OPTIONS of its own.
  t.spawn('/usr/bin/env', [`NODE_OPTIONS=${process.env.NODE_OPTIONS ?? ''}`, process.execPath, ...nodeArguments(name)], {
    name,
    buffered: true,
    timeout: FILE_TIMEOUT_MS,
    cwd: fileURLToPath(ROOT),
    env: { ...process.env, TAP_TIMEOUT: String(FILE_TIMEOUT_MS / 1000) }
  })
}
