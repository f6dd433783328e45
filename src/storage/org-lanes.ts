/** Fewer in one batch cost less than in two; while more wait, the next batch is made as the last one is written. */
const LANE_FULL_OPS = 64

/** A lane, as far as it matters to whom is next. */
export interface Busy {
  waiting (): number
  /** Its batch takes long: somebody holds the lock of one of its orgs, for instance. */
  isSlow (): boolean
}

/** Which lane each org's ops go to. */
export interface OrgLanes<Lane> {
  /**
   * Of an op that is about to wait. While an org has ops under way its next ones go to the same lane, which keeps their order of
   * arrival; else to the first lane that has room and is not slow, or to the one where least waits.
   */
  laneFor (org: number): Lane
  /** An op of each of these has come to its end. */
  settled (orgs: Iterable<number>): void
}

export function orgLanes<Lane extends Busy> (lanes: readonly [Lane, ...Lane[]]): OrgLanes<Lane> {
  const underWay = new Map<number, { readonly lane: Lane, ops: number }>()
  return {
    laneFor: org => {
      const known = underWay.get(org)
      if (known !== undefined) {
        known.ops += 1
        return known.lane
      }
      const quick = lanes.filter(lane => !lane.isSlow())
      const lane = quick.find(lane => lane.waiting() < LANE_FULL_OPS) ??
        (quick.length > 0 ? quick : lanes).reduce((a, b) => b.waiting() < a.waiting() ? b : a)
      underWay.set(org, { lane, ops: 1 })
      return lane
    },
    settled: orgs => {
      for (const org of orgs) {
        const known = underWay.get(org)
        if (known === undefined) continue
        known.ops -= 1
        if (known.ops === 0) underWay.delete(org)
      }
    }
  }
}
