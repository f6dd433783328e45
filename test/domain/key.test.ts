import fc from 'fast-check'
import t from 'tap'
import {
  endOfOverlap, environmentOfKey, environmentOfNewKey, isActive, isKey, type KeyLife, keyPrefix, keyText, parseExpiry, parseKeyName,
  parseScopes, type Principal, refusal, type Scope
} from '../../src/domain/key.ts'

const NOW = Date.parse('2024-03-15T12:00:00Z')
const HOUR = 3_600_000
const SECRET = '0123456789abcdef0123456789abcdef0123456789abcdef'

const principal = (changes: Partial<Principal> = {}): Principal =>
  ({ environment: 'live', kind: 'private', scopes: ['read'], operator: false, actor: 'operator', ...changes })
const life = (changes: Partial<KeyLife> = {}): KeyLife => ({ expiresAt: null, revokedAt: null, rotatedTo: null, ...changes })

t.test('a key says its kind and its environment, and shows the beginning of its secret', async t => {
  t.equal(keyText('private', 'live', SECRET), `prv_live_${SECRET}`)
  t.equal(keyText('public', 'my-test-2', SECRET), `pub_my-test-2_${SECRET}`)
  t.equal(keyPrefix('private', 'live', SECRET), 'prv_live_01234567')
})

t.test('a private key names its environment; nothing else does', async t => {
  const environment = fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/)
  fc.assert(fc.property(environment, name => environmentOfKey(keyText('private', name, SECRET)) === name && isKey(keyText('public', name, SECRET))))
  t.equal(environmentOfKey(keyText('public', 'live', SECRET)), undefined)
  for (const text of [
    '', 'prv_live_', 'prv_live_short', `prv__${SECRET}`, `prv_Live_${SECRET}`, `prv_-live_${SECRET}`, `prv_li_ve_${SECRET}`, `prv_${'x'.repeat(64)}_${SECRET}`,
    `PRV_live_${SECRET}`, `key_live_${SECRET}`, `prv_live_${SECRET}é`, ` prv_live_${SECRET}`, `prv_live_${SECRET}\n`, `prv_live_${SECRET}_`
  ]) t.strictSame([isKey(text), environmentOfKey(text)], [false, undefined], JSON.stringify(text))
})

t.test('admin implies read and write, which do not imply each other; a public key opens none of it', async t => {
  const allowed = (scopes: Scope[], kind: Principal['kind'] = 'private'): string =>
    (['admin', 'write', 'read'] as const).filter(scope => refusal(principal({ scopes, kind }), scope) === undefined).join(' ')
  t.equal(allowed(['admin']), 'admin write read')
  t.equal(allowed(['write']), 'write')
  t.equal(allowed(['read']), 'read')
  t.equal(allowed(['write', 'read']), 'write read')
  t.equal(allowed([], 'public'), '')
  t.equal(refusal(principal({ scopes: ['write', 'read'] }), 'admin'), 'this needs a key with the scope admin; this one has write and read')
  t.equal(refusal(principal({ scopes: [], kind: 'public' }), 'read'), 'public keys are for the client API; this needs a private key')
})

t.test('scopes are put in order; without any a private key may write and read, and a public one has none', async t => {
  t.strictSame(parseScopes('private', ['read', 'admin']), ['admin', 'read'])
  t.strictSame(parseScopes('private', undefined), ['write', 'read'])
  t.strictSame(parseScopes('public', undefined), [])
  t.strictSame(parseScopes('public', []), [])
  t.throws(() => parseScopes('private', []), { code: 'invalid_request', message: 'scopes must name at least one of admin, write, read' })
  t.throws(() => parseScopes('public', ['read']), { code: 'invalid_request', problems: [{ pointer: '/scopes' }] })
})

t.test('a name is what can be read, or nothing', async t => {
  for (const name of ['', 'billing worker', 'Zürich "A"; drop table', '请求 \u{1F600}', 'x'.repeat(100)]) t.equal(parseKeyName(name), name)
  for (const name of ['x'.repeat(101), 'a\0', 'a\ud800', 'a\u001b[2J', 'a\nb', 'a\u202eb']) {
    t.throws(() => parseKeyName(name), { code: 'invalid_request', problems: [{ pointer: '/name' }] }, JSON.stringify(name))
  }
})

t.test('a key counts until the instant at which it ends', async t => {
  t.ok(isActive(life(), NOW))
  t.ok(isActive(life({ expiresAt: NOW + 1 }), NOW))
  t.notOk(isActive(life({ expiresAt: NOW }), NOW))
  t.notOk(isActive(life({ revokedAt: NOW + HOUR }), NOW), 'revoked is revoked, also by a clock that is ahead')
  t.ok(isActive(life({ rotatedTo: 'successor', expiresAt: NOW + 1 }), NOW), 'during the overlap')
})

t.test('a new key ends later than now, or never', async t => {
  t.strictSame([parseExpiry(null, NOW), parseExpiry(NOW + 1, NOW)], [null, NOW + 1])
  t.throws(() => parseExpiry(NOW, NOW), { code: 'invalid_request', message: 'expiresAt must be later than 2024-03-15T12:00:00.000Z' })
})

t.test('who is replaced ends with the overlap, or before it as planned', async t => {
  t.equal(endOfOverlap(life(), NOW, HOUR), NOW + HOUR)
  t.equal(endOfOverlap(life(), NOW, 0), NOW)
  t.equal(endOfOverlap(life({ expiresAt: NOW + HOUR }), NOW, 2 * HOUR), NOW + HOUR)
})

t.test('what counts no more, or was replaced, is not replaced', async t => {
  const refused = (changes: Partial<KeyLife>, message: string): unknown =>
    t.throws(() => endOfOverlap(life(changes), NOW, HOUR), { code: 'invalid_request', message })
  refused({ revokedAt: NOW - 1, rotatedTo: 'successor' }, 'this key was revoked: create a new one')
  refused({ expiresAt: NOW + HOUR, rotatedTo: 'successor' }, 'this key was rotated to successor: rotate that one')
  refused({ expiresAt: NOW }, 'this key has expired: create a new one')
})

t.test('a key makes keys of its own environment; who runs the server, of any', async t => {
  t.equal(environmentOfNewKey(principal(), undefined), 'live')
  t.equal(environmentOfNewKey(principal(), 'live'), 'live')
  t.throws(() => environmentOfNewKey(principal({ scopes: ['admin'] }), 'test'), { code: 'forbidden' })
  t.equal(environmentOfNewKey(principal({ operator: true }), 'staging'), 'staging')
  t.equal(environmentOfNewKey(principal({ operator: true }), undefined), 'live')
})

t.end()
