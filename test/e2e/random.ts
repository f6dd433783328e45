export type Random = (below: number) => number

/** Numbers from 0 to `below`, the same for the same seed (mulberry32). */
export function randomOf (seed: number): Random {
  let state = seed | 0
  return below => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296 * below)
  }
}

export function pick<Item> (random: Random, items: readonly Item[]): Item {
  return items[random(items.length)] as Item
}

/** One of `items`, each as likely as its weight says. */
export function pickWeighted<Item extends { readonly weight: number }> (random: Random, items: readonly Item[]): Item {
  let left = random(items.reduce((sum, { weight }) => sum + weight, 0))
  return items.find(({ weight }) => (left -= weight) < 0) as Item
}
