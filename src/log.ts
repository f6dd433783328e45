import { type Logger, pino } from 'pino'

/** Lines are written together, and none later than this; a warning, or what is worse, at once, with those before it. */
const BUFFER_BYTES = 64 * 1024
const FLUSH_MS = 200
const AT_ONCE = pino.levels.values.warn as number
/** Some 100,000 lines. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024

export interface LogOptions {
  /** A file descriptor. */
  readonly to: number
  readonly level: string
  /** Told of each line that is lost because whoever reads the log has stopped reading; the service goes on. */
  readonly onLost: () => void
  readonly waitingBytesMax?: number
  /** 0: never */
  readonly flushMs?: number
}

export interface Log {
  readonly logger: Logger
  /** For the last lines of a process. */
  flushSync (): void
}

/** Nobody waits for log lines to be written, and what waits has a bound: what comes then is lost. */
export function openLog ({ to, level, onLost, waitingBytesMax = WAITING_BYTES_MAX, flushMs = FLUSH_MS }: LogOptions): Log {
  // Of strings it would count the bytes of all that wait anew for each line: half of what a line takes.
  const output = pino.destination({
    dest: to,
    sync: false,
    contentMode: 'buffer',
    minLength: BUFFER_BYTES,
    maxWrite: 2 * BUFFER_BYTES,
    periodicFlush: flushMs,
    maxLength: waitingBytesMax
  })
  output.on('drop', onLost)
  // While something is being written, `flush` does nothing: then it is due after that.
  let flushDue = false
  output.on('drain', () => {
    if (!flushDue) return
    flushDue = false
    output.flush()
  })
  const logger = pino({
    level,
    hooks: {
      logMethod (line, write, level) {
        write.apply(this, line)
        if (level < AT_ONCE) return
        flushDue = true
        output.flush()
      }
    }
  }, {
    // The mode is the library's own, and unknown to its types.
    write: line => { (output as unknown as { write (line: Buffer): void }).write(Buffer.from(line)) }
  })
  return { logger, flushSync: () => output.flushSync() }
}
