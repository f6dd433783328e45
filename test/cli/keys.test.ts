import t from 'tap'
import { apiOf } from '../e2e/api.ts'
import { openApi } from '../fixtures/api.ts'
import { cells } from './served.ts'
import { runCommand } from './tool.ts'

const ADMIN_KEY = `prv_staging_${'a'.repeat(32)}`
const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d$/
const { app } = await openApi(t, { adminKey: ADMIN_KEY })
const url = await app.listen({ host: '127.0.0.1', port: 0 })

const keys = async (words: readonly string[], key = ADMIN_KEY) =>
  await runCommand(['keys', ...words], { TOLLGATE_URL: url, TOLLGATE_KEY: key })
const whoami = async (key: string) => (await apiOf(t, url, { authorization: `Bearer ${key}` }).get('/v1/whoami')).status

t.test('a key is made, listed, replaced and revoked', async t => {
  t.match(await keys(['list']), { code: 0, stdout: 'no keys\n' })
  const made = await keys(['create', '--name', 'billing worker', '--scopes', 'write, read'])
  const key = made.stdout.trimEnd()
  t.match(made, { code: 0, stdout: /^prv_staging_[A-Za-z0-9]{16,}\n$/ }, 'alone, for a script to take')
  t.match(made.stderr, /^tollgate: key \S+ \(billing worker\), of environment staging: keep it, it is shown this once\n$/)
  t.equal(await whoami(key), 200)

  const [names = [], row = []] = cells((await keys(['list'])).stdout)
  const [id = '', prefix = '', may, state, used, name] = row
  t.strictSame(names, ['ID', 'KEY', 'MAY', 'STATE', 'LAST USED', 'NAME'])
  t.strictSame([may, state, name], ['write,read', 'good', 'billing worker'])
  t.ok(key.startsWith(prefix.replace(/\.\.\.$/, '')) && !prefix.includes(key), 'not the key itself')
  t.match(used, /^never$|^\d{4}-\d\d-\d\d \d\d:\d\d$/)

  const replaced = await keys(['rotate', id, '--overlap', '3600', '--json'])
  const successor = JSON.parse(replaced.stdout) as { id: string, key: string }
  t.match(replaced, { code: 0, stderr: '' })
  t.strictSame([await whoami(key), await whoami(successor.key)], [200, 200], 'both count')
  const states = new Map(cells((await keys(['list'])).stdout).slice(1).map(([id, , , state = '']) => [id, state]))
  t.match(states.get(id)?.replace('replaced until ', ''), TIME)
  t.equal(states.get(successor.id), 'good')

  t.match(await keys(['revoke', successor.id]), { code: 0, stdout: `key ${successor.id} (billing worker) is refused from now on`, stderr: '' })
  t.equal(await whoami(successor.key), 401)
  const listed = JSON.parse((await keys(['list', '--json'])).stdout) as { keys: Array<{ id: string, revokedAt: string | null }> }
  t.strictSame(listed.keys.map(({ id, revokedAt }) => [id, revokedAt !== null]), [[successor.id, true], [id, false]])
})

t.test('a refusal of the service is a sentence, and exit code 1', async t => {
  const reader = (await keys(['create', '--scopes', 'read'])).stdout.trimEnd()
  t.match(await keys(['list'], reader), { code: 1, stdout: '', stderr: /^tollgate: .*\(forbidden\)\n$/ })
  t.match(await keys(['list'], `prv_staging_${'b'.repeat(32)}`), { code: 1, stdout: '', stderr: /^tollgate: .*\(unauthorized\)\n$/ })
  t.match(await keys(['create', '--scopes', 'everything']), { code: 1, stdout: '', stderr: /^tollgate: .*scopes.*\(invalid_request\)\n$/ })
  t.match(await keys(['create', '--expires', 'tomorrow']), { code: 1, stderr: /^tollgate: expiresAt must be an RFC 3339 time.*\n$/ })
  t.match(await keys(['revoke', 'no/such?key']), { code: 1, stderr: /^tollgate: .*\(\w+\)\n$/ })
  t.match(await keys(['rotate', 'x', '--overlap', '-1']), { code: 2, stderr: /^tollgate: --overlap needs a value/ })
  t.match(await keys(['rotate', 'x', '--overlap', '2592001']), { code: 2, stderr: /^tollgate: --overlap must be a whole number from 0 to 2592000, not "2592001"\n/ })
})

t.test('a list goes on past its first page', async t => {
  const api = apiOf(t, url, { authorization: `Bearer ${ADMIN_KEY}` })
  const made = await Promise.all(Array.from({ length: 101 }, async (_, i) => await api.post('/v1/keys', { name: `paged ${i}` })))
  t.ok(made.every(({ status }) => status === 200))
  const { keys: listed } = JSON.parse((await keys(['list', '--json'])).stdout) as { keys: Array<{ name: string }> }
  t.equal(new Set(listed.map(({ name }) => name).filter(name => name.startsWith('paged '))).size, 101)
})
