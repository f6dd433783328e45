import { command } from './command.ts'
import { json as jsonText, plain } from './output.ts'

export const whois = command({
  name: 'whois',
  summary: 'the id of an org; with --json, all that is known of it',
  args: ['<org>'],
  details: 'The id stays the same for as long as the org exists.',
  options: {},
  remote: true,
  examples: ['tollgate whois org:acme', 'tollgate whois org:acme --json'],
  run: async ({ args: [org = ''], json, terminal: { stdout }, connect }) => {
    const service = await connect()
    const query = new URLSearchParams({ org, ...(json && { include: 'info' }) })
    const answer = await service.callExactly('GET', `/v1/whois?${query}`)
    stdout.write(json ? jsonText(answer) : `${plain((answer as { stripe_id: string }).stripe_id)}\n`)
  }
})
