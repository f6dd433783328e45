import { test } from 'tap'
import { parseRedisUrl } from '../src/redis-url.ts'

const NOBODY = { username: undefined, password: undefined, tls: false }

test('one URL is a server, and Redis’s client reads the rest of it', async t => {
  for (const url of ['redis://h', 'rediss://:secret@h:6380/2', 'redis://u:p,w@h']) t.strictSame(parseRedisUrl(url), { kind: 'server', url })
})

test('a list is a cluster, whose nodes have the first one’s user, password and scheme', async t => {
  t.strictSame(parseRedisUrl('redis://a:7000,redis://b'), {
    kind: 'cluster', access: NOBODY, nodes: [{ host: 'a', port: 7000 }, { host: 'b', port: 6379 }]
  })
  t.strictSame(parseRedisUrl('rediss://me:p%40ss%2Cw@a, rediss://[::1]:7001'), {
    kind: 'cluster', access: { username: 'me', password: 'p@ss,w', tls: true }, nodes: [{ host: 'a', port: 6379 }, { host: '::1', port: 7001 }]
  })
  t.strictSame(parseRedisUrl('redis://h:1,redis://h:1')?.kind, 'cluster', 'also where one name leads to all nodes')
})

test('sentinels have users and passwords of their own', async t => {
  t.strictSame(parseRedisUrl('redis+sentinel://a:1,b/main'), {
    kind: 'sentinel', name: 'main', database: 0, access: NOBODY, sentinelAccess: NOBODY, sentinels: [{ host: 'a', port: 1 }, { host: 'b', port: 26379 }]
  })
  t.strictSame(parseRedisUrl('rediss+sentinel://me:p%40%3Aw@[::1]:1/my%20main?sentinelUsername=you&sentinelPassword=s%2Bs&db=3'), {
    kind: 'sentinel',
    name: 'my main',
    database: 3,
    access: { username: 'me', password: 'p@:w', tls: true },
    sentinelAccess: { username: 'you', password: 's+s', tls: true },
    sentinels: [{ host: '::1', port: 1 }]
  })
  t.strictSame((parseRedisUrl('redis+sentinel://:only@a/main') as { access: object }).access, { ...NOBODY, password: 'only' })
})

test('what it is not is refused', async t => {
  const refused = [
    'redis://', 'http://h', 'redis://a,b', 'redis://a,rediss://b', 'redis+sentinel://a', 'redis+sentinel:///main', 'redis+sentinel://a,,b/main',
    'redis+sentinel://a/main?x=1', 'redis+sentinel://a/main?db=-1', 'redis+sentinel://a:b:c/main', 'redis+sentinel://u:%zz@a/main', 'redis://u:%zz@a,redis://b'
  ]
  for (const url of refused) t.equal(parseRedisUrl(url), undefined, url)
})
