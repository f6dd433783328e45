/**
 * Of the test files that are named those that no other process has taken, one after the other in this process, each as one test: node
 * and the product are loaded once for all of them. `test/suite.ts` starts it.
 */
import './fixtures/untracked.ts'
import tap from 'tap'
import { beginFile } from './fixtures/file-test.ts'
import { moduleUrl } from './fixtures/node.ts'
import { finish, take } from './fixtures/taken-files.ts'

// Not as arguments, which would be in the name of every folder that a test makes.
const { TEST_FILES = '', TEST_TAKEN_FOLDER = '', TEST_FILE_TIMEOUT_MS, TEST_PROCESS_TIMEOUT_MS } = process.env
/** A pool of connections, or a keep-alive, may take some seconds to end. */
const LEFT_OPEN_MS = 10_000

tap.setTimeout(Number(TEST_PROCESS_TIMEOUT_MS))
for (const name of TEST_FILES.split(' ')) {
  if (!take(TEST_TAKEN_FOLDER, name)) continue
  await tap.test(name, { timeout: Number(TEST_FILE_TIMEOUT_MS) }, async t => {
    beginFile(t)
    await import(moduleUrl(name).href)
  })
  finish(TEST_TAKEN_FOLDER, name)
}

// Nothing waits for this, so it only comes in a process that something else keeps; without it the run would wait as well, and not say why.
setTimeout(() => {
  tap.fail('what the files of this process opened is not closed', { left: process.getActiveResourcesInfo() })
  process.exit(1)
}, LEFT_OPEN_MS).unref()

// As the service does, not by itself: Node 20 was seen to close a socket for ever then, computing.
process.on('beforeExit', () => process.exit())
