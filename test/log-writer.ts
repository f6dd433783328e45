/** Writes lines faster than anybody reads them, and a warning if there is one; says how many were lost; then warns of what it is told. */
import { createInterface } from 'node:readline'
import { openLog } from '../src/log.ts'

const [lines, waitingBytesMax, warning] = process.argv.slice(2)
let lost = 0
const { logger } = openLog({ to: 1, level: 'info', onLost: () => { lost += 1 }, waitingBytesMax: Number(waitingBytesMax), flushMs: 0 })
for (let i = 0; i < Number(lines); i += 1) logger.info(`line ${i}`)
if (warning !== undefined) logger.warn(warning)
process.stderr.write(`${lost}\n`)
createInterface({ input: process.stdin }).on('line', line => logger.warn(line))
