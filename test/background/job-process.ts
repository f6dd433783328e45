/**
 * A process that runs each job once when it gets SIGUSR2, and says how much of the work it did:
 * `job-process.ts <database url>`. What jobs are to delete page by page is counted in pages.
 */
import { sweepClocks } from '../../src/background/clocks.ts'
import { purgeDeletedOrgs } from '../../src/background/deleted-orgs.ts'
import { clockStore } from '../../src/storage/clocks.ts'
import { orgDeletion } from '../../src/storage/org-deletion.ts'
import { postgresDatabase } from '../../src/storage/postgres.ts'

const database = postgresDatabase(process.argv[2] as string)
const pages = { clocks: 0, orgs: 0 }

function counting<Work extends { purge: (...args: never[]) => Promise<boolean> }> (work: Work, name: keyof typeof pages): Work {
  const purge = async (...args: never[]): Promise<boolean> => {
    const more = await work.purge(...args)
    if (more) pages[name] += 1
    return more
  }
  return { ...work, purge }
}

const clocks = counting(clockStore(database), 'clocks')
const deletion = counting(orgDeletion(database), 'orgs')
const waiting = setInterval(() => {}, 60_000)
process.once('SIGUSR2', async () => {
  clearInterval(waiting)
  await Promise.all([sweepClocks({ clocks }, Date.now()), purgeDeletedOrgs({ orgDeletion: deletion })])
  process.stdout.write(`done ${JSON.stringify(pages)}\n`)
  await database.close()
})
process.stdout.write('ready\n')
