import { test } from 'tap'
import { WAIT_SETTINGS } from '../../src/storage/session-settings.ts'
import { databaseKinds } from './databases.ts'

for (const { name, missing, open } of databaseKinds) {
  // A wait of PGlite that ends, as the first thing after its process was frozen, spins for ever: nothing is answered any more.
  const bounded = name === 'Postgres'
  test(`on ${name} ${bounded ? 'every wait of a session ends after seconds' : 'no timer ends a wait: there is nobody to wait for'}`, { skip: missing }, async t => {
    const database = await open(t)
    for (const [setting, bound] of Object.entries(WAIT_SETTINGS)) {
      const [shown] = await database.run([{ text: `show ${setting}`, params: [] }])
      t.equal(shown?.rows[0]?.[0], bounded ? bound : '0', setting)
    }
  })
}
