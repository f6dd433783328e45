import type { Test } from 'tap'
import { EMPTY } from '../../src/domain/counter.ts'
import type { Tally } from '../../src/domain/reservation.ts'
import { type CounterKey, type Entry, isYoung, type Mirror, type MirrorReading, type Publication } from '../../src/storage/mirror.ts'

/** What the mirrors of this contract are opened with. */
export const AGE_MAX_MS = 1_000
const NOW = Date.parse('2024-03-15T12:00:00Z')
const WINDOW = Date.parse('2024-03-01T00:00:00Z')

/** An org that no other test has, so that one mirror serves all. */
let orgs = 1_000
export function nextOrg (): number {
  orgs += 1
  return orgs
}

export function keyOf (org: number, feature = 1, start = WINDOW): CounterKey {
  return { org, feature, start }
}

export function tallyOf (version: number, changes: Partial<Tally> = {}): Tally {
  return { ...EMPTY, reservedUntil: null, version, used: BigInt(version), ...changes }
}

/** One org with one counter, both at `version`. */
export function publicationOf (org: number, version: number, confirmedAt: number, changes: Partial<Tally> = {}): Publication {
  return { org, version, counters: [{ key: keyOf(org), tally: tallyOf(version, changes) }], confirmedAt }
}

/** `[version of the org, version of its counter]`, undefined where there is none. */
export async function versionsOf (mirror: Mirror, org: number): Promise<Array<number | undefined>> {
  const { version, counters } = await mirror.read(org, [keyOf(org)])
  return [version?.value, counters[0]?.value.version]
}

/** What a reading says, without what an implementation may keep besides. */
async function readPlain (mirror: Mirror, org: number, keys: readonly CounterKey[]): Promise<MirrorReading> {
  const plain = <Value>(entry: Entry<Value> | undefined) => entry && { value: entry.value, confirmedAt: entry.confirmedAt }
  const { version, counters } = await mirror.read(org, keys)
  return { version: plain(version), counters: counters.map(plain) }
}

/** What every implementation of the Mirror port does. `now` is an argument of `publish`, so nothing here waits. */
export async function mirrorContract (t: Test, mirror: Mirror): Promise<void> {
  await t.test('reading', async t => await reading(t, mirror))
  await t.test('overwriting', async t => await overwriting(t, mirror))
  await t.test('drift', async t => await drift(t, mirror))
}

async function reading (t: Test, mirror: Mirror): Promise<void> {
  await t.test('what was published is read, each counter in its place', async t => {
    const org = nextOrg()
    const [first, second] = [tallyOf(7), tallyOf(8)]
    await mirror.publish([{
      org, version: 3, confirmedAt: NOW - 5, counters: [{ key: keyOf(org, 1), tally: first }, { key: keyOf(org, 2), tally: second }]
    }], NOW)
    t.strictSame(await readPlain(mirror, org, [keyOf(org, 2), keyOf(org, 1)]), {
      version: { value: 3, confirmedAt: NOW - 5 },
      counters: [{ value: second, confirmedAt: NOW - 5 }, { value: first, confirmedAt: NOW - 5 }]
    })
  })

  await t.test('an org whose version is not told again keeps the one it has', async t => {
    const org = nextOrg()
    await mirror.publish([publicationOf(org, 5, NOW)], NOW)
    await mirror.publish([{ ...publicationOf(org, 6, NOW + 10), version: null }], NOW + 10)
    const { version, counters } = await mirror.read(org, [keyOf(org)])
    t.strictSame([version?.value, version?.confirmedAt], [5, NOW])
    t.strictSame([counters[0]?.value.version, counters[0]?.confirmedAt], [6, NOW + 10])
  })

  await t.test('what was never published is undefined', async t => {
    const org = nextOrg()
    t.strictSame(await readPlain(mirror, org, [keyOf(org), keyOf(org, 2)]), { version: undefined, counters: [undefined, undefined] })
    t.strictSame(await readPlain(mirror, org, []), { version: undefined, counters: [] })
    await mirror.publish([{ org, version: 1, counters: [], confirmedAt: NOW }], NOW)
    t.strictSame(await readPlain(mirror, org, [keyOf(org)]), { version: { value: 1, confirmedAt: NOW }, counters: [undefined] })
  })

  await t.test('orgs, features and windows are kept apart', async t => {
    const [org, other] = [nextOrg(), nextOrg()]
    await mirror.publish([publicationOf(org, 5, NOW)], NOW)
    const { counters } = await mirror.read(org, [keyOf(org, 11), keyOf(org, 1, WINDOW + 1), keyOf(org, 1)])
    t.strictSame(counters.map(entry => entry?.value.version), [undefined, undefined, 5])
    t.strictSame(await versionsOf(mirror, other), [undefined, undefined])
  })

  await t.test('every amount and instant comes back to the digit', async t => {
    const greatest = 10n ** 37n - 1n
    const tallies = [
      tallyOf(1, { used: greatest, reserved: greatest }),
      tallyOf(2, { used: 1n, reserved: 999_999_999n }),
      tallyOf(3, { used: 0n, reserved: 0n }),
      tallyOf(Number.MAX_SAFE_INTEGER, { used: 1_500_000_000n, lastAt: NOW, reservedUntil: NOW + 60_000 }),
      tallyOf(5, { lastAt: 0, reservedUntil: 0 }),
      tallyOf(6, { lastAt: NOW, reservedUntil: null }),
      tallyOf(7, { lastAt: null, reservedUntil: NOW })
    ]
    for (const tally of tallies) {
      const org = nextOrg()
      await mirror.publish([{ org, version: 1, counters: [{ key: keyOf(org), tally }], confirmedAt: NOW }], NOW)
      t.strictSame((await readPlain(mirror, org, [keyOf(org)])).counters, [{ value: tally, confirmedAt: NOW }])
    }
  })

  await t.test('a thousand orgs go into one publication', async t => {
    const many = Array.from({ length: 1_000 }, nextOrg)
    t.equal(await mirror.publish(many.map((org, i) => publicationOf(org, i + 1, NOW)), NOW), 0)
    const read = await Promise.all(many.map(async org => await versionsOf(mirror, org)))
    t.strictSame(read, many.map((_org, i) => [i + 1, i + 1]))
  })

  await t.test('publishing nothing is nothing', async t => t.equal(await mirror.publish([], NOW), 0))
}

async function overwriting (t: Test, mirror: Mirror): Promise<void> {
  await t.test('a higher version overwrites', async t => {
    const org = nextOrg()
    await mirror.publish([publicationOf(org, 5, NOW)], NOW)
    await mirror.publish([publicationOf(org, 6, NOW - 400)], NOW + 1)
    t.strictSame(await versionsOf(mirror, org), [6, 6])
    t.equal((await mirror.read(org, [])).version?.confirmedAt, NOW - 400)
  })

  await t.test('a lower version does not overwrite a higher one, until that one has reached its age', async t => {
    const org = nextOrg()
    await mirror.publish([publicationOf(org, 9, NOW)], NOW)
    await mirror.publish([publicationOf(org, 8, NOW + AGE_MAX_MS)], NOW + AGE_MAX_MS)
    t.strictSame(await versionsOf(mirror, org), [9, 9], 'at its greatest age')
    await mirror.publish([publicationOf(org, 8, NOW + AGE_MAX_MS + 1)], NOW + AGE_MAX_MS + 1)
    t.strictSame(await versionsOf(mirror, org), [8, 8], 'past it')
  })

  await t.test('of one version the later confirmation stays', async t => {
    const org = nextOrg()
    await mirror.publish([publicationOf(org, 4, NOW)], NOW)
    await mirror.publish([publicationOf(org, 4, NOW + 300)], NOW + 310)
    t.equal((await mirror.read(org, [])).version?.confirmedAt, NOW + 300)
    await mirror.publish([publicationOf(org, 4, NOW + 100)], NOW + 320)
    const { version, counters } = await mirror.read(org, [keyOf(org)])
    t.strictSame([version?.confirmedAt, counters[0]?.confirmedAt], [NOW + 300, NOW + 300])
  })

  await t.test('a report whose commit took long is not undone by a read that began before it', async t => {
    const org = nextOrg()
    const slow = NOW - 5 * AGE_MAX_MS
    await mirror.publish([publicationOf(org, 9, slow)], NOW)
    await mirror.publish([publicationOf(org, 8, NOW - 100)], NOW + 100)
    t.strictSame(await versionsOf(mirror, org), [9, 9], 'its confirmation is old, but it was written a moment ago')
    const { version } = await mirror.read(org, [])
    t.equal(isYoung(version?.confirmedAt as number, NOW + 100, AGE_MAX_MS), false, 'and no reader believes it before it is confirmed')
  })

  await t.test('the version of an org and those of its counters are guarded one by one', async t => {
    const org = nextOrg()
    await mirror.publish([{ org, version: 5, counters: [{ key: keyOf(org), tally: tallyOf(5) }], confirmedAt: NOW }], NOW)
    await mirror.publish([{ org, version: 4, counters: [{ key: keyOf(org), tally: tallyOf(6) }], confirmedAt: NOW + 1 }], NOW + 1)
    t.strictSame(await versionsOf(mirror, org), [5, 6])
  })

  await t.test('an entry from a clock that is far ahead guards nothing', async t => {
    const org = nextOrg()
    const ahead = NOW + 60_000
    await mirror.publish([publicationOf(org, 9, ahead)], ahead)
    await mirror.publish([publicationOf(org, 8, NOW)], NOW)
    t.strictSame(await versionsOf(mirror, org), [8, 8])
  })
}

async function drift (t: Test, mirror: Mirror): Promise<void> {
  await t.test('entries that should have been there already are counted', async t => {
    const org = nextOrg()
    t.equal(await mirror.publish([publicationOf(org, 5, NOW)], NOW), 0, 'what was missing is no drift')
    t.equal(await mirror.publish([publicationOf(org, 5, NOW + 10)], NOW + 10), 0, 'nor is what was right')
    t.equal(await mirror.publish([publicationOf(org, 7, NOW + 20)], NOW + 20), 2, 'the org and its counter lagged')
    t.equal(await mirror.publish([publicationOf(org, 6, NOW + 30)], NOW + 30), 0, 'a confirmation that comes late found nothing wrong')
    t.equal(await mirror.publish([{ ...publicationOf(org, 8, NOW + 40), version: 7 }], NOW + 40), 1, 'only the counter lagged')
  })

  await t.test('an entry past its age misleads nobody, and is no drift', async t => {
    const org = nextOrg()
    await mirror.publish([publicationOf(org, 5, NOW)], NOW)
    const later = NOW + AGE_MAX_MS + 1
    t.equal(await mirror.publish([publicationOf(org, 6, later)], later), 0)
  })
}
