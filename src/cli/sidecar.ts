import { isLoopback } from '../config.ts'
import { command, UsageProblem } from './command.ts'
import { addressOf } from './serve.ts'

const STARTER_LOOK_MS = 500
/** A sidecar whose program died without a word notices within half a second, and then finishes what it took on. */
const FOLDER_PATIENCE_MS = 5_000

/** What Tier's SDK starts when nothing tells it where a service is. Its arguments, and what it reads, are not ours to choose. */
export const sidecar = command({
  name: 'serve',
  program: 'tier',
  summary: 'run the service beside a program that uses Tier\'s SDK, for as long as that program runs',
  details: `Listens on 127.0.0.1:8080 and keeps its data in ./data, or TOLLGATE_DATA_DIR. Says "listening on <address>" once it does, and
ends with the program that started it.

No other setting counts: DATABASE_URL, PORT and the like are that program's own. It is open, to this machine only. For more than
that run tollgate serve, and give the SDK its address as TIER_BASE_URL.`,
  options: {
    addr: { value: 'host:port', help: 'where to listen; either side may be left out' },
    live: { help: 'in environment live; else test. Before serve, too, where TIER_LIVE=1 has it put' },
    verbose: { help: 'log lines on stderr. Before serve it is -v, where TIER_DEBUG=1 has it put' }
  },
  remote: false,
  examples: ['tier serve --addr 127.0.0.1:8080', 'tier --live -v serve'],
  run: async ({ options: { addr, live, verbose }, terminal: { env, stdout } }) => {
    const settings = { ...addressOf(addr), ...(env.TOLLGATE_DATA_DIR !== undefined && { TOLLGATE_DATA_DIR: env.TOLLGATE_DATA_DIR }) }
    if (settings.HOST !== undefined && !isLoopback(settings.HOST)) {
      throw new UsageProblem(`tier serves this machine only, so --addr must be on loopback, such as 127.0.0.1:8080, not "${addr}"`)
    }
    endWithStarter()
    const { serve } = await import('../server.ts')
    await serve({ ...settings, LOG_LEVEL: verbose ? 'info' : 'error' }, {
      openEnvironment: live ? 'live' : 'test',
      logToStderr: true,
      folderPatienceMs: FOLDER_PATIENCE_MS,
      onListening: address => { stdout.write(`listening on ${address}\n`) }
    })
  }
})

/** The SDK ends its sidecar when its program exits, but not when a signal ends that: then another process takes us over. */
function endWithStarter (): void {
  const starter = process.ppid
  setInterval(() => { if (process.ppid !== starter) process.kill(process.pid, 'SIGTERM') }, STARTER_LOOK_MS).unref()
}
