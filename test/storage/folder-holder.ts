/** A process that has an embedded ledger open: `folder-holder.ts <folder>` writes rows for ever, and says which were acknowledged. */
import { pgliteDatabase } from '../../src/storage/pglite.ts'

const database = await pgliteDatabase(process.argv[2] as string)
await database.run([{ text: 'create table if not exists notes (n int primary key)', params: [] }])
for (let n = 1; ; n += 1) {
  await database.run([{ text: 'insert into notes values ($1::int)', params: [n] }])
  process.stdout.write(`acknowledged ${n}\n`)
}
