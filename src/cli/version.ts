import { readFileSync } from 'node:fs'
import { command } from './command.ts'
import { json } from './output.ts'

export const version = command({
  name: 'version',
  summary: 'the version of this program',
  options: { json: { help: 'JSON, for programs' } },
  remote: false,
  examples: ['tollgate version'],
  run: async ({ json: asJson, terminal }) => {
    const { name, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { name: string, version: string }
    terminal.stdout.write(asJson ? json({ name, version, node: process.versions.node }) : `${name} ${version}\n`)
  }
})
