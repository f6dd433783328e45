import { pino } from 'pino'

/** Lines are written together, and none later than this. */
const BUFFER_BYTES = 12_288
const FLUSH_MS = 200
/** Some 100,000 lines. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024

export interface LogOutputOptions {
  /** A file descriptor. */
  readonly to: number
  /** Told of each line that is lost because whoever reads the log has stopped reading; the service goes on. */
  readonly onLost: () => void
  readonly waitingBytesMax?: number
}

/** Where log lines go. Nobody waits for them, and what waits to be written has a bound: what comes then is lost. */
export function logOutput ({ to, onLost, waitingBytesMax = WAITING_BYTES_MAX }: LogOutputOptions): ReturnType<typeof pino.destination> {
  const output = pino.destination({ dest: to, sync: false, minLength: BUFFER_BYTES, periodicFlush: FLUSH_MS, maxLength: waitingBytesMax })
  output.on('drop', onLost)
  return output
}
