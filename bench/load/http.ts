import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { arrivals } from './arrivals.ts'
import { type Connection, connectTo } from './connection.ts'
import type { HttpLoad, Loaded } from './load.ts'
import { ordersOf, type Request } from './requests.ts'
import { stopwatch } from './stopwatch.ts'

/** One answer in this many is parsed and looked at. */
const SAMPLE_EVERY = 50
/** Longer than any answer may take; only a server that hangs gets here. */
const PATIENCE_MS = 20_000
const TOLD_CHARACTERS = 500

/** A connection, and what it is yet to ask. */
interface Seat {
  readonly connection: Connection
  readonly order: readonly Request[]
  next: number
}

/** Every request is answered in the end. @throws if one is not, not by 200, or not with what was asked for */
export async function loadByHttp (load: HttpLoad): Promise<Loaded> {
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_resolve, reject) => { fail = reject })
  failed.catch(() => {})
  const seats = await Promise.all(ordersOf(load).map(async (order, i): Promise<Seat> => {
    const url = load.urls[i % load.urls.length] as string
    return { connection: await connectTo(url, error => fail(error)), order, next: 0 }
  }))
  try {
    return await Promise.race([failed, run(load, seats, error => fail(error))])
  } finally {
    for (const { connection } of seats) connection.close()
  }
}

async function run (load: HttpLoad, seats: readonly Seat[], fail: (error: Error) => void): Promise<Loaded> {
  const watch = stopwatch(load)
  const waiting = load.rate === undefined ? undefined : arrivals(load.rate)
  // In turn, since a server closes a connection on which nothing was ever asked.
  const free: Seat[] = []
  const so = { answers: 0, counted: 0, underway: 0, stopping: false }

  function goOn (seat: Seat, now: number): void {
    const begun = waiting === undefined ? (so.stopping ? undefined : now) : waiting.next()
    if (begun === undefined) free.push(seat)
    else send(seat, begun)
  }

  function send (seat: Seat, begun: number): void {
    const request = seat.order[seat.next] as Request
    seat.next = (seat.next + 1) % seat.order.length
    so.underway += 1
    seat.connection.send(request.bytes, (status, answer, from) => {
      const now = performance.now()
      so.underway -= 1
      so.answers += 1
      const isRight = status === 200 && (so.answers % SAMPLE_EVERY !== 0 || request.isRight(answer.toString('utf8', from)))
      if (!isRight) {
        const body = answer.toString('utf8', from, from + TOLD_CHARACTERS)
        return fail(new Error(`${load.calls.join()} at ${load.urls.join()} was answered ${status}: ${body}`))
      }
      so.counted += request.counts
      // At a rate all that began in time is measured, however late its answer comes.
      watch.note(waiting === undefined ? now : begun, now - begun, request.items)
      goOn(seat, now)
    })
  }

  if (waiting === undefined) for (const seat of seats) send(seat, performance.now())
  else {
    free.push(...seats)
    waiting.start(() => { while (free.length > 0 && waiting.has()) goOn(free.shift() as Seat, 0) })
  }
  await watch.run()
  so.stopping = true
  waiting?.stop()
  const deadline = performance.now() + PATIENCE_MS
  while (so.underway > 0) {
    if (performance.now() > deadline) throw new Error(`${load.calls.join()} at ${load.urls.join()}: ${so.underway} requests are not answered`)
    await sleep(5)
  }
  return { counted: so.counted, ...watch.figures() }
}
