import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'

const KEY = 'prv_test_0123456789abcdef0123456789abcdef'

const PRO = { id: 'pro', name: 'Pro', features: [{ id: 'calls', limit: 100, overage_enabled: false, reset_period: 'MONTH' }] }
const FREE = {
  id: 'free',
  name: 'Free',
  features: [
    { id: 'calls', limit: null, overage_enabled: true, reset_period: null }, { id: 'sso', limit: null, overage_enabled: false, reset_period: null }
  ]
}
const BOOST = { id: 'boost', name: 'Boost', features: [{ id: 'calls', limit: 0, overage_enabled: false, reset_period: 'DAY' }], base_packages: ['pro'] }
const FEATURES = [{ id: 'calls', name: 'Calls', type: 'CONSUMABLE' }, { id: 'sso', name: 'SSO', type: 'BINARY' }]
const FILE = { app: 'test', version: 1, features: FEATURES, packages: { draft: [FREE], published: [PRO] }, addons: { draft: [], published: [BOOST] } }

/** What the command line does, without a `Bearer`, and reads of an answer: its JSON, its status, and why it was refused. */
async function specification (t: Test, api: Api): Promise<void> {
  const { app } = api
  const ask = async (method: 'GET' | 'POST', path: string, body?: object, authorization: string | undefined = KEY): Promise<{ status: number, reason: string, body: Body }> => {
    const response = await app.inject({ method, url: `/cli/${path}`, headers: { authorization }, ...(body !== undefined && { payload: body }) })
    return { status: response.statusCode, reason: response.statusMessage, body: response.json() }
  }
  const lines = async (file: object): Promise<string[]> => (await ask('POST', 'validate', file)).body.data

  await t.test('I1: a file is validated, published and pulled as it is; then it is up to date', async t => {
    t.strictSame((await ask('GET', 'pull')).body, { ...FILE, features: [], packages: { draft: [], published: [] }, addons: { draft: [], published: [] } })
    t.strictSame(await lines(FILE), [
      'Feature "calls" will be created.',
      'Feature "sso" will be created.',
      'Package "free" will be created as a draft.',
      'Package "pro" will be created and published.',
      'Package "boost" will be created and published.',
      'Package "boost" may be taken on top of "pro".'
    ])
    t.strictSame((await ask('GET', 'pull')).body.features, [], 'nothing was written')
    t.strictSame((await ask('POST', 'publish', FILE)).body, FILE)
    t.strictSame((await ask('GET', 'pull')).body, FILE)
    t.strictSame(await lines(FILE), [])
    t.strictSame((await ask('POST', 'publish', FILE)).body, FILE, 'again, it does nothing')
    await api.subscribe('org:a', 'plan:pro@0')
    t.hasStrict(await api.can('org:a', 'feature:calls'), { limit: 100 }, 'packages are plans')
  })

  await t.test('I2: what a file says nothing of stays: a file without add-ons deletes none', async t => {
    for (const file of [{}, { features: [] }, { packages: { draft: [], published: [] } }, { packages: null, addons: {} }]) {
      t.strictSame(await lines(file), [])
      t.strictSame((await ask('POST', 'publish', file)).body, FILE)
    }
  })

  await t.test('drafts are changed and published, features renamed', async t => {
    const changed = { ...FREE, name: 'Free for all', features: [{ id: 'calls', limit: 5, reset_period: 'year' }] }
    const file = { features: [{ id: 'sso', name: 'Single sign-on', type: 'binary' }], packages: { published: [changed] } }
    t.strictSame(await lines(file), ['Feature "sso" will be called "Single sign-on".', 'Package "free" will be changed and published.'])
    const { packages, features } = (await ask('POST', 'publish', file)).body
    t.strictSame(packages.published.map(({ id, name }: Body) => [id, name]), [['free', 'Free for all'], ['pro', 'Pro']])
    t.equal(features[1].name, 'Single sign-on')
  })

  await t.test('what cannot be is an [ERROR], and nothing of such a file is published; what will not be is a [WARNING]', async t => {
    const other = { ...PRO, name: 'Other' }
    for (const [file, line] of [
      [{ features: [{ id: 'calls', type: 'BINARY' }] }, '[ERROR] Feature "calls" is CONSUMABLE: its type cannot change.'],
      [{ packages: { published: [{ ...PRO, features: FREE.features }] } }, '[ERROR] Package "pro" is published, and never changes: give the new one another id.'],
      [{ packages: { draft: [PRO] } }, '[ERROR] Package "pro" is published: it cannot become a draft again.'],
      [{ addons: { published: [PRO] } }, '[ERROR] Package "pro" is no add-on: that cannot change.'],
      [{ packages: { draft: [{ id: 'x', features: [{ id: 'nothing' }] }] } }, '[ERROR] Package "x" has the feature "nothing", which there is not.'],
      [{ packages: { draft: [{ id: 'x', features: [] }] } }, '[ERROR] Package "x" has no features.'],
      [{ packages: { draft: [{ id: 'x y', features: PRO.features }] } },
        '[ERROR] Package Id must be 1 to 240 printable characters without space; after an "@" comes a version of letters, digits and ". _ -"'],
      [{ addons: { published: [{ ...BOOST, base_packages: ['pro', 'nowhere'] }] } }, '[ERROR] Add-on "boost" is for "nowhere", and there is no such package.']
    ] as const) {
      t.strictSame(await lines(file), [line])
      const { status, reason } = await ask('POST', 'publish', { ...file, features: [...('features' in file ? file.features : []), { id: 'new', type: 'BINARY' }] })
      t.strictSame([status, reason], [409, `${line.replace('[ERROR] ', '')} Nothing was published.`])
    }
    t.strictSame(await lines({ packages: { published: [other] } }), ['[WARNING] Package "pro" is published, and keeps its name "Pro".'])
    t.strictSame((await ask('GET', 'pull')).body.features.map(({ id }: Body) => id), ['calls', 'sso'])
  })

  await t.test('I3: a refusal says why in its status line, and validate in its lines, whatever the status', async t => {
    for (const [path, body] of [['publish', { features: [{ id: 'x', type: 'SOMETHING' }] }], ['publish', { packages: [] }]] as const) {
      const { status, reason } = await ask('POST', path, body)
      t.equal(status, 400)
      t.match(reason, /features\/0\/type must be BINARY or CONSUMABLE|packages must be an object/)
    }
    t.hasStrict(await ask('POST', 'validate', { features: [{ id: 1, type: 'BINARY' }] }), {
      status: 400, body: { data: ['[ERROR] features/0/id must be a text that is not empty'] }
    })
    t.hasStrict(await ask('POST', 'validate', {}, 'prv_test_wrong'), { status: 401, body: { data: ['[ERROR] Unauthorized'] } })
    t.hasStrict(await ask('GET', 'pull', undefined, 'prv_test_wrong'), { status: 401, reason: 'Unauthorized' })
  })
}

withEachLedger(t, 'Kana\'s command line', specification, { adminKey: KEY })
