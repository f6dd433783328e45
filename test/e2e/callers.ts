/** Runs `count` callers side by side, each to its end; the first failure is thrown. */
export async function inParallel (count: number, caller: (index: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, index) => await caller(index)))
}

export interface Background {
  /** Ends each caller after its current round. Rejects if one of them failed. */
  stop (): Promise<void>
  rounds (): number
}

/** Callers that go on, round after round, until they are stopped. */
export function inBackground (count: number, round: (caller: number, n: number) => Promise<void>): Background {
  const state = { stopped: false, rounds: 0 }
  const ended = inParallel(count, async caller => {
    for (let n = 0; !state.stopped; n += 1) {
      await round(caller, n)
      state.rounds += 1
    }
  })
  // Seen by whoever stops them.
  ended.catch(() => {})
  return {
    rounds: () => state.rounds,
    stop: async () => {
      state.stopped = true
      await ended
    }
  }
}
