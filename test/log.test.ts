import { execFileSync } from 'node:child_process'
import { closeSync, constants, createReadStream, openSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../src/log.ts'
import { folderOf } from './e2e/embedded.ts'
import { until } from './storage/until.ts'

interface Pipe {
  readonly to: number
  /** From now on somebody reads it. */
  read (): () => string[]
}

function openPipe (t: Test): Pipe {
  const path = join(folderOf(t), 'pipe')
  execFileSync('mkfifo', [path])
  // For both, so that it opens at once and stays open.
  const to = openSync(path, constants.O_RDWR)
  t.teardown(() => closeSync(to))
  return {
    to,
    read: () => {
      const reader = createReadStream(path, { encoding: 'utf8' })
      let text = ''
      reader.on('data', piece => { text += String(piece) })
      return () => text.split('\n').slice(0, -1).map(line => (JSON.parse(line) as { msg: string }).msg)
    }
  }
}

t.test('nobody waits for whoever reads the log: what waits has a bound, what comes then is lost and counted, and then it goes on', async t => {
  const { to, read } = openPipe(t)
  let lost = 0
  // More than a pipe holds by itself.
  const { logger } = openLog({ to, level: 'info', onLost: () => { lost += 1 }, waitingBytesMax: 200_000, flushMs: 0 })
  const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}`)
  for (const line of lines) logger.info(line)
  t.ok(lost > 0, 'it is more than may wait')
  const kept = lines.slice(0, lines.length - lost)
  const found = read()
  await until('it is read', () => found().length > 0)
  logger.warn('later')
  await until('it goes on', () => found().at(-1) === 'later')
  t.strictSame(found(), [...kept, 'later'], 'whole and in order')
})

t.test('a warning is written at once, and what came before it: the process may be about to end', async t => {
  const { to, read } = openPipe(t)
  const { logger } = openLog({ to, level: 'info', onLost: () => {}, flushMs: 0 })
  const found = read()
  logger.info('before')
  logger.warn('something is wrong')
  await until('both are there', () => found().length === 2)
  t.strictSame(found(), ['before', 'something is wrong'])
})
