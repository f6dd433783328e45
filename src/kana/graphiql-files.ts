import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What the page loads, by the name it has there: the npm package, and the file in it. */
export const GRAPHIQL_FILES: Readonly<Record<string, readonly [packageName: string, path: string]>> = {
  'react.js': ['react', 'umd/react.production.min.js'],
  'react-dom.js': ['react-dom', 'umd/react-dom.production.min.js'],
  'graphiql.js': ['graphiql', 'graphiql.min.js'],
  'graphiql.css': ['graphiql', 'graphiql.min.css']
}

/** Beside the built service, which runs without the packages: the page needs four files of their hundred megabytes. */
export const COPIES = fileURLToPath(new URL('./graphiql', import.meta.url))

export function sourceOf ([packageName, path]: readonly [string, string]): string {
  return join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), path)
}

/** The copy if the service was built, else the original. */
export function pathOf (name: string, source: readonly [string, string]): string {
  const copy = join(COPIES, name)
  return existsSync(copy) ? copy : sourceOf(source)
}
