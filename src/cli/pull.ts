import { command } from './command.ts'
import { json } from './output.ts'

export const pull = command({
  name: 'pull',
  summary: 'the published plans, as a document to push',
  options: {},
  remote: true,
  examples: ['tollgate pull', 'tollgate pull > pricing.json'],
  run: async ({ terminal: { stdout }, connect }) => {
    const service = await connect()
    stdout.write(json(await service.callExactly('GET', '/v1/pull')))
  }
})
