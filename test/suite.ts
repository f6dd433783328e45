/**
 * All test files, or those that are named, as one test: a few processes side by side, each of which takes file after file
 * (`test/files.ts`). `test/run.ts` starts it from the compiled copy. Not by tap's own runner, which gives each file a process, and
 * each process, and each thread in it, three loaders and the source maps of every library: half the time of a short file.
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { temporaryFolder } from './fixtures/guard.ts'
import { FOR_SHORT_LIVES, nodeArguments } from './fixtures/node.ts'
import { ROOT } from './fixtures/root.ts'
import { filesUnderWay } from './fixtures/taken-files.ts'

/** Three that compute, since each waits for a store now and then, and the one that waits; once it is done, its place is anybody's. */
const JOBS = 4
const TEST = /\.test\.ts$/
/** What takes long in these is the patience of the product, or of Redis: one process begins with them, beside those that compute. */
const WAITING = [
  'test/faults/faults.test.ts',
  'test/e2e/outage.test.ts',
  'test/storage/mirror-cluster.test.ts',
  'test/storage/mirror-sentinel.test.ts',
  'test/storage/half-open.test.ts',
  'test/operations/outage.test.ts',
  'test/operations/mirror-yield.test.ts',
  'test/background/abandoned.test.ts',
  'test/storage/ledger-patience.test.ts',
  'test/storage/watched.test.ts',
  'test/e2e/failover.test.ts',
  'test/storage/mirror-faults.test.ts',
  'test/e2e/pressure.test.ts'
]
/** Those that take longest start first, lest one of them runs alone at the end. */
const LONG = [
  'test/fuzz/fuzz.test.ts',
  'test/e2e/replicas.test.ts',
  'test/e2e/exact.test.ts',
  'test/e2e/start.test.ts',
  'test/cli/replay-faults.test.ts',
  'test/cli/sidecar.test.ts',
  'test/cli/replay.test.ts',
  'test/e2e/backup.test.ts',
  'test/model/model.test.ts'
]

function filesIn (folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true }).flatMap(entry => {
    if (entry.isDirectory()) return filesIn(`${folder}${entry.name}/`)
    return TEST.test(entry.name) ? [`${folder}${entry.name}`] : []
  })
}

const given = [...new Set(process.argv.slice(2))]
/** For what blocks a process, which then does not see that its file takes too long. */
const PROCESS_TIMEOUT_MS = 1_200_000
/** Whoever names a file may want its long form. */
const FILE_TIMEOUT_MS = given.length > 0 ? PROCESS_TIMEOUT_MS : 120_000
const short = filesIn('test/').sort().filter(file => !LONG.includes(file) && !WAITING.includes(file))
const [waiting = [], computing = []] = given.length > 0 ? [given.slice(0, 1), given.slice(1)] : [WAITING, [...LONG, ...short]]
const files = [...waiting, ...computing]
const missing = files.find(file => !existsSync(new URL(file, ROOT)))
if (missing !== undefined) throw new Error(`there is no ${missing}`)
/** Each process has one that is its own, as tap takes one that tests nothing for skipped; and then what nobody has taken. */
const firsts = computing.splice(0, JOBS - 1)
const processes = [[...waiting, ...computing], ...firsts.map(first => [first, ...computing, ...waiting.slice(1)])]
const taken = temporaryFolder('taken')

t.setTimeout(0)
t.jobs = JOBS
t.plan(processes.length)
t.comment(`Files: ${files.join(' ')}`)
for (const [n, names] of processes.entries()) {
  const args = [...(given.length > 0 ? [] : FOR_SHORT_LIVES), ...nodeArguments('test/files.ts')]
  // By way of env, because tap adds NODE_OPTIONS of its own.
  t.spawn('/usr/bin/env', [`NODE_OPTIONS=${process.env.NODE_OPTIONS ?? ''}`, process.execPath, ...args], {
    name: `process ${n + 1} of ${processes.length}`,
    buffered: true,
    timeout: PROCESS_TIMEOUT_MS,
    cwd: fileURLToPath(ROOT),
    env: {
      ...process.env,
      TEST_FILES: names.join(' '),
      TEST_TAKEN_FOLDER: taken,
      TEST_FILE_TIMEOUT_MS: String(FILE_TIMEOUT_MS),
      TEST_PROCESS_TIMEOUT_MS: String(PROCESS_TIMEOUT_MS)
    }
  })
}
// Of a process that had to be ended tap says nothing, not even which file it was at.
t.teardown(() => {
  const unfinished = filesUnderWay(taken)
  if (unfinished.length > 0) t.comment(`Under way: ${unfinished.join(' ')}`)
})
