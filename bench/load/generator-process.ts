import { loadByCopy } from './copy.ts'
import { loadByHttp } from './http.ts'
import type { Load, Report } from './load.ts'

/**
 * The load generator, a process of its own so that nothing else runs on its event loop. It stays up for the whole
 * bench: every line meets the same warm generator. It ends when the process that started it ends.
 */

process.on('message', (load: Load) => {
  const loaded = 'databaseUrl' in load ? loadByCopy(load) : loadByHttp(load)
  loaded.then(reply, (error: Error) => reply({ error: error.message }))
})
process.on('disconnect', () => process.exit(0))

function reply (report: Report): void {
  process.send?.(report)
}
