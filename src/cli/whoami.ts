import { command } from './command.ts'
import { json as jsonText, plain } from './output.ts'

interface Whoami {
  readonly id: string
  readonly key_source: string
  readonly isolated: boolean
  readonly email: string
  readonly created: string
  readonly url: string
}

export const whoami = command({
  name: 'whoami',
  summary: 'which environment the key opens',
  details: 'In the lines that Tier has: ID is the environment.',
  options: {},
  remote: true,
  examples: ['tollgate whoami'],
  run: async ({ json, terminal: { stdout }, connect }) => {
    const service = await connect()
    const answer = await service.callExactly('GET', '/v1/whoami')
    const { id, key_source: source, isolated, email, created, url } = answer as Whoami
    const lines = { ID: id, KeySource: source, Isolated: isolated, Email: email, Created: created, URL: url }
    const width = Math.max(...Object.keys(lines).map(name => name.length)) + 3
    const text = Object.entries(lines).map(([name, value]) => `${`${name}:`.padEnd(width)}${plain(String(value))}`.trimEnd())
    stdout.write(json ? jsonText(answer) : `${text.join('\n')}\n`)
  }
})
