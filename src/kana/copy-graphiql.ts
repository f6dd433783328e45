import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { COPIES, GRAPHIQL_FILES, sourceOf } from './graphiql-files.ts'

/** The last step of the build. */
mkdirSync(COPIES, { recursive: true })
for (const [name, source] of Object.entries(GRAPHIQL_FILES)) copyFileSync(sourceOf(source), join(COPIES, name))
