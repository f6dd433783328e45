/**
 * The test files that are named, one after the other in this process, each as one test: node and the product are loaded once for
 * all of them. `test/suite.ts` starts it.
 */
import './fixtures/untracked.ts'
import tap from 'tap'
import { beginFile } from './fixtures/file-test.ts'
import { moduleUrl } from './fixtures/node.ts'

// Not as arguments, which would be in the name of every folder that a test makes.
const { TEST_FILES = '', TEST_FILE_TIMEOUT_MS } = process.env

tap.setTimeout(0)
for (const name of TEST_FILES.split(' ')) {
  await tap.test(name, { timeout: Number(TEST_FILE_TIMEOUT_MS) }, async t => {
    beginFile(t)
    await import(moduleUrl(name).href)
  })
}
