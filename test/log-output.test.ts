import { execFileSync } from 'node:child_process'
import { constants, createReadStream, openSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { logOutput } from '../src/log-output.ts'
import { folderOf } from './e2e/embedded.ts'
import { until } from './storage/until.ts'

/** More than a pipe holds by itself. */
const WAITING_BYTES_MAX = 200_000
const line = (i: number): string => `${JSON.stringify({ i, text: 'x'.repeat(80) })}\n`

t.test('nobody waits for whoever reads the log: what waits has a bound, what comes then is lost and counted, and then it goes on', async t => {
  const pipe = join(folderOf(t), 'pipe')
  execFileSync('mkfifo', [pipe])
  // Open for both, so that it opens at once and stays open.
  const fd = openSync(pipe, constants.O_RDWR)
  let lost = 0
  const output = logOutput({ to: fd, onLost: () => { lost += 1 }, waitingBytesMax: WAITING_BYTES_MAX })
  const lines = 10_000
  for (let i = 0; i < lines; i += 1) output.write(line(i))
  t.ok(lost > 0, 'it is more than may wait')

  const reader = createReadStream(pipe, { encoding: 'utf8' })
  let text = ''
  reader.on('data', piece => { text += String(piece) })
  const read = async (wanted: string): Promise<void> => { await until('it is read', () => text.includes(wanted)) }
  await read(line(lines - lost - 1))
  const found = text.trimEnd().split('\n').map(text => (JSON.parse(text) as { i: number }).i)
  t.strictSame(found, Array.from({ length: lines - lost }, (_, i) => i), 'every line that is not counted as lost, whole and in order')
  output.write(line(lines))
  await read(line(lines))
  t.equal(text.split('\n').length - 1, lines - lost + 1, 'as before, once there is room')
  reader.destroy()
  output.destroy()
})
