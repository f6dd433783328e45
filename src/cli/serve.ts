import { command, UsageProblem } from './command.ts'
import { boundHeap, endWithParent, isYoungGenerationSet, runWithYoungGeneration } from './heap.ts'

const PORT_MAX = 65_535

export const serve = command({
  name: 'serve',
  summary: 'run the service',
  details: `Listens on 127.0.0.1:8080 and keeps its data in ./data, unless the environment says otherwise:

  HOST, PORT           where to listen; HOST other than loopback needs a TOLLGATE_ADMIN_KEY
  DATABASE_URL         postgres://..., instead of the embedded ledger
  TOLLGATE_DATA_DIR    the folder of the embedded ledger, for one process at a time
  REDIS_URL            redis://..., the mirror
  TOLLGATE_ADMIN_KEY   prv_<environment>_<16 or more letters or digits>
  PUBLIC_URL           where browsers reach it, for the checkout page
  MANUAL_CHECKOUT_IN_LIVE  true: environment live may use that page, which takes no payment
  MIRROR_MAX_AGE_MS    how old a mirror entry may be to be believed
  RATE_LIMIT_REQUESTS_PER_KEY  of one key, in RATE_LIMIT_WINDOW_SECONDS; 0, without limit
  EVENTS_KEPT_DAYS     delete events that long after their use; counters stay
  LOG_LEVEL            trace, debug, info, warn, error, fatal or silent

SIGTERM and SIGINT end it when what it took on is done.`,
  options: { addr: { value: 'host:port', help: 'where to listen; goes before HOST and PORT. Either side may be left out' } },
  remote: false,
  examples: [
    'tollgate serve --addr :9090',
    'DATABASE_URL=postgres://tollgate@localhost/tollgate REDIS_URL=redis://localhost tollgate serve'
  ],
  run: async ({ options: { addr }, terminal: { env } }) => {
    const settings = { ...env, ...addressOf(addr) }
    if (!isYoungGenerationSet(env)) await runWithYoungGeneration(env)
    endWithParent(env)
    boundHeap()
    const { serve } = await import('../server.ts')
    await serve(settings)
  }
})

/** `127.0.0.1:8080`, `[::1]:8080`, `:8080` or `localhost`, as settings. @throws UsageProblem */
export function addressOf (addr: string | undefined): { HOST?: string, PORT?: string } {
  if (addr === undefined) return {}
  const [, ipv6, name, port] = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]/]*))(?::(\d+))?$/.exec(addr) ?? []
  const host = ipv6 ?? name
  if (addr === '' || host === undefined || (port !== undefined && Number(port) > PORT_MAX)) {
    throw new UsageProblem(`--addr must be host:port, such as 127.0.0.1:8080 or [::1]:8080, not "${addr}"`)
  }
  return { ...(host !== '' && { HOST: host }), ...(port !== undefined && { PORT: port }) }
}
