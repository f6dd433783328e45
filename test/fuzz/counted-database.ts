import type { Database, Session } from '../../src/storage/database.ts'

/** A database, and how often it was asked anything: while that stands still, nobody can have written to it by this way. */
export interface CountedDatabase {
  readonly database: Database
  asked (): number
}

export function countedDatabase (database: Database): CountedDatabase {
  let asked = 0
  /** Before and after: what is under way may write until it is answered. */
  async function counted<T> (work: () => Promise<T>): Promise<T> {
    asked += 1
    try {
      return await work()
    } finally {
      asked += 1
    }
  }
  const session = (session: Session): Session => ({ run: async statements => await counted(async () => await session.run(statements)) })
  return {
    asked: () => asked,
    database: {
      ...session(database),
      transaction: async (work, timeoutMs) =>
        await counted(async () => await database.transaction(async inner => await work(session(inner)), timeoutMs)),
      lane: () => {
        const lane = database.lane()
        return {
          ...session(lane),
          alone: async statement => await counted(async () => await lane.alone(statement)),
          close: async () => await counted(async () => await lane.close())
        }
      },
      ping: async () => await database.ping(),
      endAbandoned: async () => await counted(async () => await database.endAbandoned()),
      close: async () => await counted(async () => await database.close())
    }
  }
}
