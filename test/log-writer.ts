/** Writes lines faster than anybody reads them, says how many were lost, and then warns of each line it is given, for `log.test.ts`. */
import { createInterface } from 'node:readline'
import { openLog } from '../src/log.ts'

const [lines, waitingBytesMax] = process.argv.slice(2).map(Number) as [number, number]
let lost = 0
const { logger } = openLog({ to: 1, level: 'info', onLost: () => { lost += 1 }, waitingBytesMax, flushMs: 0 })
for (let i = 0; i < lines; i += 1) logger.info(`line ${i}`)
process.stderr.write(`${lost}\n`)
createInterface({ input: process.stdin }).on('line', line => logger.warn(line))
