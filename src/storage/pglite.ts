import { Worker } from 'node:worker_threads'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { BEGIN, COMMIT, type Database, inTransaction, type Lane, type Result, ROLLBACK, type Session, type Statement, within } from './database.ts'
import { SESSION_SETTINGS } from './session-settings.ts'
import { lockFolder } from './folder-lock.ts'

const CALL_TIMEOUT_MS = 60_000

/**
 * The embedded ledger: Postgres compiled to WebAssembly, in a worker thread so that a commit never blocks the event
 * loop. It has one connection, so transactions take turns. It survives the death of the process, not of the machine:
 * PGlite has no way to force its writes to disk.
 *
 * @param folder created if missing, then locked against a second process for as long as this one lives
 * @throws FolderInUse
 */
export async function pgliteDatabase (folder: string): Promise<Database> {
  mkdirSync(folder, { recursive: true })
  const unlock = lockFolder(folder)
  const worker = await startWorker(resolve(folder, 'ledger')).catch(error => {
    unlock()
    throw error
  })
  const single = turns()
  const direct: Session = { run: async statements => await worker.ask(statements) }
  return {
    run: async statements => await single(async () => await direct.run(statements)),
    transaction: async work => await single(async () => await inTransaction(direct, work)),
    lane: () => laneOf(direct, single),
    // It lives in this process, and takes what it is asked in turns.
    ping: async () => {},
    endAbandoned: async () => 0,
    close: async () => {
      await single(async () => await worker.stop())
      unlock()
    }
  }
}

type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** Runs one piece of work at a time, in the order of asking. */
function turns (): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return async work => {
    const mine = last.then(work, work)
    last = mine.catch(() => {})
    return await mine
  }
}

/** A lane's transaction spans several runs; from its `begin` to its end nobody else gets a turn. */
function laneOf (direct: Session, single: Turns): Lane {
  let finish: (() => void) | undefined

  async function end (statements: readonly Statement[]): Promise<Result[]> {
    try {
      return await direct.run(statements)
    } catch (error) {
      // As a server does with a commit that follows a failure.
      await direct.run([ROLLBACK])
      throw error
    } finally {
      finish?.()
      finish = undefined
    }
  }

  return {
    run: async statements => {
      const first = statements[0]?.text
      const last = statements.at(-1)?.text
      if (first === BEGIN.text) finish = await turn(single)
      if (finish === undefined) {
        if (first === ROLLBACK.text) return []
        throw new Error('this lane is not in a transaction')
      }
      return await (last === COMMIT.text || last === ROLLBACK.text ? end(statements) : direct.run(statements))
    },
    alone: async statement => (await single(async () => await direct.run([statement])))[0] as Result,
    close: async () => { if (finish !== undefined) await end([ROLLBACK]) }
  }
}

/** Waits for a turn and keeps it until the returned function is called. */
async function turn (single: Turns): Promise<() => void> {
  return await new Promise(resolve => {
    const begin = resolve
    void single(async () => await new Promise<void>(resolve => begin(resolve)))
  })
}

type Question = import('./pglite-worker.js').Question
type Answer = import('./pglite-worker.js').Answer

interface LedgerWorker {
  ask (statements: readonly Statement[]): Promise<Result[]>
  stop (): Promise<void>
}

async function startWorker (folder: string): Promise<LedgerWorker> {
  const settings = Object.entries(SESSION_SETTINGS).map(([name, value]) => `set ${name} = '${value}'`).join(';')
  const worker = new Worker(new URL('./pglite-worker.js', import.meta.url), { workerData: { folder, settings } })
  const waiting = new Map<number, { resolve: (results: Result[]) => void, reject: (error: Error) => void }>()
  let next = 0
  let dead: Error | undefined

  function fail (error: Error): void {
    dead ??= error
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  worker.on('error', fail)
  worker.on('exit', () => fail(new Error('the embedded ledger has stopped')))
  worker.on('message', ({ id, results, error }: Answer) => {
    const caller = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) caller?.resolve(results ?? [])
    else caller?.reject(Object.assign(new Error(error.message), { code: error.code, severity: 'ERROR' }))
  })

  async function send (statements: readonly Statement[], stop = false): Promise<Result[]> {
    if (dead !== undefined) throw dead
    const id = next++
    return await within(CALL_TIMEOUT_MS, new Promise<Result[]>((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      worker.postMessage({ id, statements, stop } satisfies Question)
    }))
  }

  await send([])
  return {
    ask: async statements => await send(statements),
    stop: async () => {
      await send([], true)
      await worker.terminate()
    }
  }
}
