import { command, Failure } from './command.ts'
import { json as jsonText, plain } from './output.ts'

/** Apart from 1, which is an answer: a script may let its users in when nobody could be asked. */
const NO_ANSWER = 3

export const can = command({
  name: 'can',
  summary: 'may an org use a feature? Exit code 0 if so, 1 if not',
  args: ['<org>', '<feature>'],
  details: `Prints ok or, where it may not, why: limit_reached or feature_not_found. Records nothing.

Exit codes: 0 it may, 1 it may not, 2 not understood, 3 no answer (the service is away, or there is no such org).`,
  options: { n: { value: 'amount', help: 'how much it would use (default 1)' } },
  remote: true,
  examples: ['tollgate can org:acme feature:api-calls && ./call-the-api', 'tollgate can org:acme feature:api-calls --n 100'],
  run: async ({ options: { n }, args: [org = '', feature = ''], json, terminal, connect }) => {
    const service = await connect()
    const query = new URLSearchParams({ org, feature, ...(n !== undefined && { n }) })
    const answer = await service.callExactly('GET', `/v1/can?${query}`).catch((error: unknown) => {
      throw error instanceof Failure ? new Failure(error.message, NO_ANSWER) : error
    })
    const { ok, reason } = answer as { ok: boolean, reason: string }
    terminal.stdout.write(json ? jsonText(answer) : `${ok ? 'ok' : plain(reason)}\n`)
    return ok ? 0 : 1
  }
})
