import type { FastifyPluginAsync } from 'fastify'
import { TollgateError } from '../errors.ts'
import { changesOf, type CliChange, configuration } from './cli-changes.ts'
import { readCliFile } from './cli-file.ts'

const BODY_BYTES_MAX = 1024 * 1024
const VALIDATE = '/validate'
/** What an HTTP status line may say. */
const NOT_PRINTABLE = /[^\x20-\x7e]/g
const REASON_CHARS_MAX = 300

/**
 * What Kana's command line asks for; `KANA_DEV_URL` is the address of this service with `/cli`. It prints the reason in the status
 * line of a refusal, and of `validate` it reads the lines only, whatever the status.
 */
export const kanaCli: FastifyPluginAsync = async app => {
  app.addHook('preSerialization', async ({ routeOptions }, reply, payload) => {
    const { detail } = payload as { detail?: unknown }
    if (reply.statusCode < 400 || typeof detail !== 'string') return payload
    if (routeOptions.url?.endsWith(VALIDATE) === true) {
      return { ...payload as object, data: [lineOf({ kind: 'error', text: detail })] }
    }
    reply.raw.statusMessage = detail.replace(NOT_PRINTABLE, '?').slice(0, REASON_CHARS_MAX)
    return payload
  })

  app.get('/pull', { config: { scope: 'read' }, schema: { hide: true } }, async ({ principal: { environment } }) =>
    await configuration(app.stores, environment))

  app.post(VALIDATE, { config: { scope: 'read' }, bodyLimit: BODY_BYTES_MAX, schema: { hide: true } }, async ({ body, principal: { environment } }) =>
    ({ data: (await changesOf(app.stores, environment, readCliFile(body))).map(lineOf) }))

  app.post('/publish', { config: { scope: 'admin' }, bodyLimit: BODY_BYTES_MAX, schema: { hide: true } }, async ({ body, principal: { environment } }) => {
    const changes = await changesOf(app.stores, environment, readCliFile(body))
    const wrong = changes.find(({ kind }) => kind === 'error')
    if (wrong !== undefined) throw new TollgateError('plan_conflict', `${wrong.text} Nothing was published.`)
    for (const { apply } of changes) await apply?.()
    return await configuration(app.stores, environment)
  })
}

const PREFIXES: Readonly<Record<CliChange['kind'], string>> = { change: '', warning: '[WARNING] ', error: '[ERROR] ' }

function lineOf ({ kind, text }: CliChange): string {
  return `${PREFIXES[kind]}${text}`
}
