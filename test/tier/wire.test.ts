import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

/** What Tier's wire has beyond its SDK: each test names the row of Tier's contract that it holds. */

const api = await openApi(t)
const PLANS = {
  'plan:free@0': { title: 'Free', features: { 'feature:msg': { tiers: [{ upto: 10 }] }, 'feature:seat': { base: 1000 } } },
  'plan:pro@1': { title: 'Pro', features: { 'feature:msg': { tiers: [{ upto: 100 }, {}] }, 'feature:x': { tiers: [{ upto: 5 }, { upto: 15 }] } } }
}
await api.push(PLANS)

let orgs = 0
async function newOrg (...held: string[]): Promise<string> {
  const org = `org:wire-${(orgs += 1)}`
  await api.post('/v1/subscribe', { org, info: { name: 'n' } })
  if (held.length > 0) await api.subscribe(org, ...held)
  return org
}

const refusal = async (path: string, body?: unknown): Promise<[status: number, code: string, message: string]> => {
  const { status, body: { code, message } } = body === undefined ? await api.get(path) : await api.post(path, body)
  return [status, code, message]
}
const ABOUT_ORG = ['limits', 'phase', 'phases', 'whois', 'payment_methods']
const ORG = 'org must be prefixed with "org:"'

t.test('2.1 invalid_request: the org is missing or without its prefix, at every endpoint', async t => {
  for (const path of ABOUT_ORG) {
    for (const query of ['', '?org=', '?org=acme', '?org=ORG:acme']) {
      t.strictSame(await refusal(`/v1/${path}${query}`), [400, 'invalid_request', ORG], path + query)
    }
  }
  for (const org of [undefined, '', 'acme']) {
    t.strictSame(await refusal('/v1/report', { org, feature: 'feature:msg' }), [400, 'invalid_request', ORG])
    t.strictSame(await refusal('/v1/subscribe', { org, phases: [] }), [400, 'invalid_request', ORG])
    t.strictSame(await refusal('/v1/checkout', { org, success_url: 'https://app.example.com' }), [400, 'invalid_request', ORG])
  }
})

t.test('2.1 org_not_found', async t => {
  for (const path of ABOUT_ORG) {
    t.strictSame(await refusal(`/v1/${path}?org=org:nobody`), [400, 'org_not_found', 'org not found'], path)
  }
  t.strictSame(await refusal('/v1/report', { org: 'org:nobody', feature: 'feature:msg', n: 1 }), [400, 'org_not_found', 'org not found'])
})

t.test('2.1 feature_not_found: a report of what is not held, a phase that names the same twice', async t => {
  const org = await newOrg('plan:free@0')
  t.strictSame(await refusal('/v1/report', { org, feature: 'feature:x', n: 1 }), [400, 'feature_not_found', 'feature not found'])
  for (const features of [['plan:free@0', 'plan:free@0'], ['feature:msg@plan:free@0', 'plan:free@0']]) {
    t.strictSame(await refusal('/v1/subscribe', { org, phases: [{ features }] }), [400, 'feature_not_found', 'feature not found'])
  }
})

t.test('2.1 TERR1020: a plan, or a feature of a plan, that was not pushed', async t => {
  const org = await newOrg()
  for (const feature of ['plan:none@0', 'plan:free@1', 'feature:x@plan:free@0', 'feature:msg@plan:none@0']) {
    t.strictSame(await refusal('/v1/subscribe', { org, phases: [{ features: [feature] }] }), [400, 'TERR1020', 'feature or plan not found'], feature)
    const checkout = { org, success_url: 'https://app.example.com', features: [feature] }
    t.strictSame(await refusal('/v1/checkout', checkout), [400, 'TERR1020', 'feature or plan not found'], feature)
  }
})

t.test('2.1 feature not reportable: a report on a licensed feature', async t => {
  const org = await newOrg('plan:free@0')
  t.strictSame(await refusal('/v1/report', { org, feature: 'feature:seat', n: 1 }), [400, 'invalid_request', 'feature not reportable'])
})

t.test('2.1 unknown field: the first that is met, before anything else is looked at', async t => {
  t.strictSame(await refusal('/v1/report', { bogus: 1 }), [400, 'invalid_request', 'unknown field "bogus"'])
  t.strictSame(await refusal('/v1/subscribe', { org: 'acme', phases: [{ feature: [] }] }), [400, 'invalid_request', 'unknown field "feature"'])
  t.strictSame(await refusal('/v1/subscribe', { org: 'org:a', info: { mail: '' } }), [400, 'invalid_request', 'unknown field "mail"'])
})

t.test('2.1 invalid json syntax', async t => {
  for (const text of ['{', '{"org":"org:a"}}', 'nope']) {
    t.strictSame(await refusal('/v1/report', text), [400, 'invalid_request', 'invalid json syntax'], text)
  }
})

t.test('2.1 invalid_email, invalid_metadata, invalid_payment_method', async t => {
  const org = await newOrg()
  const refused = async (members: Body): Promise<unknown> => await refusal('/v1/subscribe', { org, ...members })
  t.strictSame(await refused({ info: { email: 'none' } }), [400, 'invalid_email', 'invalid email'])
  t.strictSame(await refused({ info: { metadata: { 'tier.org': 'x' } } }),
    [400, 'invalid_metadata', "metadata keys must not use reserved prefix ('tier.')"])
  for (const members of [
    { payment_method_id: 'pm_x' }, { info: { payment_method: 'pm_x' } }, { info: { invoice_settings: { default_payment_method: 'pm_x' } } }
  ]) t.strictSame(await refused(members), [400, 'invalid_payment_method', "No such PaymentMethod: 'pm_x'"])
})

t.test('2.1 unauthorized: another key than one of ours, and none where one is needed', async t => {
  const keyed = await api.as('prv_live_0123456789abcdef')
  for (const authorization of [undefined, 'Bearer prv_live_wrong', `Basic ${Buffer.from('wrong:').toString('base64')}`]) {
    const { status, body } = await keyed.send({ method: 'GET', url: '/v1/limits?org=org:a', headers: { authorization } as never })
    t.strictSame([status, body.status, body.code, body.message], [401, 401, 'unauthorized', 'Unauthorized'])
  }
})

t.test('2.1 over the limit there is no code: a report is never refused because of a limit', async t => {
  const org = await newOrg('plan:free@0')
  t.equal((await api.report(org, 'feature:msg', 11)).used, 11)
  t.equal((await api.report(org, 'feature:msg', 1)).used, 12)
})

t.test('2.1 not_found: an unknown path, and the phase of who holds nothing', async t => {
  t.strictSame(await refusal('/v1/limits/'), [404, 'not_found', 'Not Found'], 'paths are exact')
  t.strictSame(await refusal('/v1/nothing'), [404, 'not_found', 'Not Found'])
  t.strictSame(await refusal(`/v1/phase?org=${await newOrg()}`), [404, 'not_found', 'Not Found'])
})

t.test('2.2 report, subscribe, push: what Tier answered 500 to is a 400 that says why, or is counted', async t => {
  const org = await newOrg('plan:free@0')
  const report = async (members: Body): Promise<[number, string]> => {
    const { status, body } = await api.post('/v1/report', { org, feature: 'feature:msg', ...members })
    return [status, status === 200 ? String(body.used) : body.code]
  }
  t.strictSame(await report({ n: 1.5 }), [200, '1.5'], 'fractions are counted')
  t.strictSame(await report({ n: '2' }), [200, '3.5'], 'and so is decimal text')
  t.strictSame(await report({ n: -3 }), [200, '0.5'], 'a negative amount corrects')
  t.strictSame(await report({ n: 1e30 }), [400, 'invalid_amount'])
  t.strictSame(await report({ n: 1e20 }), [200, '100000000000000000000'], 'a round number is exact, however large')
  for (const at of ['nope', '', 5]) t.strictSame(await report({ at }), [400, 'invalid_request'], JSON.stringify(at))
  t.strictSame(await report({ n: 2, at: '2023-03-23T00:00:00Z' }), [200, '2'], 'an instant in another period counts there')
  t.strictSame(await report({ at: '9999-01-01T00:00:00Z' }), [400, 'invalid_request'], 'too far ahead')
  t.equal((await refusal('/v1/report', '[]'))[0], 400)
  const cancelled = await newOrg('plan:free@0')
  await api.subscribe(cancelled, {})
  for (const org of [await newOrg(), cancelled]) {
    t.strictSame(await refusal('/v1/report', { org, feature: 'feature:msg' }), [400, 'feature_not_found', 'feature not found'])
  }
  for (const phases of ['x', [{ features: 'plan:free@0' }], [{ features: ['plan:free@0'], effective: 'nope' }], [{}, { features: ['plan:free@0'] }]]) {
    t.hasStrict(await refusal('/v1/subscribe', { org, phases }), [400, 'invalid_request'], JSON.stringify(phases))
  }
  for (const text of ['', '{', '{"plan":{}}', '{"plans":[]}', '{"plans":{"plan:bad@0":{}}}']) t.hasStrict(await refusal('/v1/push', text), [400, 'invalid_request'], text)
  const twice = { plans: { 'plan:bad@0': { features: { 'feature:a': { base: -1 }, 'feature:b': { tiers: [{ upto: 0 }] } } } } }
  const { body: { errors } } = await api.post('/v1/push', twice)
  t.equal(errors.length, 2, 'two things wrong at once are both said')
})

t.test('2.2 more than 20 features are held at once', async t => {
  const features = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`feature:many${i}`, { tiers: [{ upto: i + 1 }] }]))
  await api.push({ 'plan:many@0': { features } })
  t.equal((await api.limits(await newOrg('plan:many@0'))).usage.length, 30)
})

t.test('2.2 accepted although odd: n omitted, null or 0, and at null or the zero time of Go', async t => {
  const org = await newOrg('plan:free@0')
  const used = async (members: Body): Promise<number> => (await api.post('/v1/report', { org, feature: 'feature:msg', ...members })).body.used
  t.strictSame([await used({}), await used({ n: null }), await used({ n: 0 })], [1, 1, 1])
  t.strictSame([await used({ n: 1, at: null }), await used({ n: 1, at: '0001-01-01T00:00:00Z' })], [2, 3])
})

t.test('1.3 an empty body is an object without members; a form of a GET body is ignored, as Go sends null', async t => {
  t.strictSame(await refusal('/v1/report', ''), [400, 'invalid_request', ORG])
  const org = await newOrg()
  const { status } = await api.send({ method: 'GET', url: `/v1/whois?org=${org}`, headers: { 'content-type': 'application/json' }, payload: 'null' })
  t.equal(status, 200)
})

t.test('1.3, 7.3 the names of members are found in any case, and not among what is data', async t => {
  const org = await newOrg()
  await api.post('/v1/subscribe', { ORG: org, Phases: [{ Features: ['plan:free@0'], Effective: '0001-01-01T00:00:00Z', Trial: false }] })
  const { body } = await api.post('/v1/report', { Org: org, FEATURE: 'feature:msg', N: 2, At: '0001-01-01T00:00:00Z', Properties: { N: 'kept', n: 'too' } })
  t.equal(body.used, 2)
  await api.post('/v1/subscribe', { org, Info: { Name: 'Acme', Metadata: { Name: 'kept', name: 'too' } } })
  t.hasStrict(await api.whois(org, { include: 'info' }), { name: 'Acme', metadata: { Name: 'kept', name: 'too' } })
  t.strictSame(await refusal('/v1/report', { org, feature: 'feature:msg', n: 1, N: 2 }), [400, 'invalid_request', 'unknown field "N"'], 'not both')
  t.hasStrict(await refusal('/v1/report', '{"org":"org:a","feature":"feature:msg","N":100000000000000.00001}'), [400, 'invalid_amount'])
})

t.test('7.3 null and the zero time are what Go clients send for unset', async t => {
  const org = await newOrg()
  const { status } = await api.post('/v1/subscribe', {
    org,
    tax: null,
    payment_method_id: '',
    info: {
      email: '',
      name: null,
      metadata: null,
      created: '0001-01-01T00:00:00Z',
      payment_method: '',
      invoice_settings: { default_payment_method: '' }
    },
    phases: [{ effective: '0001-01-01T00:00:00Z', features: ['plan:free@0'], trial: false, coupon: '' }]
  })
  t.equal(status, 200)
  t.strictSame((await api.phase(org)).plans, ['plan:free@0'])
  await api.post('/v1/subscribe', { org, info: null, phases: null })
  t.strictSame((await api.phase(org)).plans, ['plan:free@0'], 'nothing was asked')
  await api.post('/v1/subscribe', { org, phases: [{ features: null }] })
  t.equal((await api.phase(org)).status, 404, 'cancelled')
  t.hasStrict(await api.whois(org, { include: 'info' }), { name: 'n' })
})

t.test('3.2 an org exists after info or a phase that expands, a cancelling one too; after nothing it does not', async t => {
  const exists = async (members: Body): Promise<boolean> => {
    const org = `org:wire-${(orgs += 1)}`
    await api.post('/v1/subscribe', { org, ...members })
    return (await api.get('/v1/whois', { org })).status === 200
  }
  t.strictSame([
    await exists({}), await exists({ phases: [] }), await exists({ phases: [{ features: ['plan:none@0'] }] }),
    await exists({ info: {} }), await exists({ phases: [{}] }), await exists({ phases: [{ features: ['plan:free@0'] }] }),
    await exists({ info: { name: 'n' }, phases: [{ features: ['plan:none@0'] }] })
  ], [false, false, false, true, true, true, true])
  const org = `org:wire-${(orgs += 1)}`
  await api.post('/v1/checkout', { org, success_url: 'https://app.example.com' })
  t.equal((await api.whois(org)).org, org, 'and so it does after a checkout')
})

t.test('3.2 info: every text is there, empty where nothing is known', async t => {
  const { org, stripe_id: id, created, ...info } = await api.whois(await newOrg(), { include: 'info' })
  t.strictSame(info, {
    email: '', name: 'n', description: '', phone: '', metadata: {}, payment_method: '', invoice_settings: { default_payment_method: '' }
  })
  t.ok(id)
  t.ok(created && org)
})

t.test('3.3 limits: the upto of the last tier, the literal for unlimited, one used of a licensed feature, the true total', async t => {
  const org = await newOrg('plan:free@0', 'feature:x@plan:pro@1')
  await api.report(org, 'feature:x', 14)
  const { raw } = await api.get('/v1/limits', { org })
  t.equal(raw, `{"org":"${org}","usage":[{"feature":"feature:msg","used":0,"limit":10},` +
    '{"feature":"feature:seat","used":1,"limit":9223372036854775807},{"feature":"feature:x","used":14,"limit":15}]}')
})

t.test('3.4 phase: tax where it was asked for', async t => {
  const org = await newOrg('plan:free@0')
  t.equal((await api.phase(org)).tax, undefined)
  await api.post('/v1/subscribe', { org, phases: [{ features: ['plan:free@0'] }], tax: { automatic: true, collect_id: true } })
  t.strictSame((await api.phase(org)).tax, { automatic: true })
  await api.subscribe(org, 'plan:pro@1')
  t.strictSame((await api.phases(org)).phases[0].tax, { automatic: true }, 'it stays until it is changed')
  await api.post('/v1/subscribe', { org, phases: [{ features: ['plan:free@0'] }], tax: { automatic: false } })
  t.equal((await api.phase(org)).tax, undefined)
})

t.test('3.4 a coupon is refused by name: there is no payment provider that would know it', async t => {
  const org = await newOrg()
  const { body } = await api.post('/v1/subscribe', { org, phases: [{ features: ['plan:free@0'], coupon: 'half' }] })
  t.hasStrict(body, { status: 400, code: 'invalid_request', errors: [{ pointer: '/phases/0/coupon' }] })
})

t.test('3.5 report: the order of checks', async t => {
  const nobody = 'org:nobody'
  const some = await newOrg()
  const org = await newOrg('plan:free@0')
  for (const [body, code, message] of [
    [{ org: 'acme', feature: 'msg', bogus: 1 }, 'invalid_request', 'unknown field "bogus"'],
    [{ org: 'acme', feature: 'feature:msg' }, 'invalid_request', ORG],
    [{ org: nobody, feature: 'feature:none' }, 'org_not_found', 'org not found'],
    [{ org: some, feature: 'feature:msg' }, 'feature_not_found', 'feature not found'],
    [{ org, feature: 'feature:none' }, 'feature_not_found', 'feature not found'],
    [{ org, feature: 'feature:seat' }, 'invalid_request', 'feature not reportable']
  ] as const) t.strictSame(await refusal('/v1/report', body), [400, code, message])
})

t.test('3.5 report: a versioned feature is refused', async t => {
  const [status, code, message] = await refusal('/v1/report', { org: await newOrg('plan:free@0'), feature: 'feature:msg@plan:free@0' })
  t.strictSame([status, code], [400, 'invalid_request'])
  t.ok(message.startsWith('feature name must match [a-zA-Z0-9:]+'))
})

t.test('4.1 ids of orgs, plans, features and feature-plans: the messages, in the order in which they are checked', async t => {
  const org = await newOrg()
  for (const [held, start] of [
    ['free@0', "plan name must start with 'plan:'"], ['feature:msg', "plan name must start with 'plan:'"], ['plan:free', 'plan must have version'],
    ['plan:free@', 'plan must have version'], ['plan:@0', 'plan name must match [a-zA-Z0-9:]+'], ['plan:free@a b', 'plan version must match [a-zA-Z0-9]+'],
    ['feature:@plan:free@0', 'feature plan name must match [a-zA-Z0-9:]+'], ['feature:msg@', 'feature plan must have version'],
    ['feature:msg@0!', 'feature plan version must match [a-zA-Z0-9]+ or be a valid plan'],
    ['feature:msg@plan:free', 'feature plan version must match [a-zA-Z0-9]+ or be a valid plan']
  ] as const) {
    const [status, code, message] = await refusal('/v1/subscribe', { org, phases: [{ features: [held] }] })
    t.strictSame([status, code, message.slice(0, start.length)], [400, 'invalid_request', start], held)
  }
  for (const feature of ['feature:msg', 'msg']) t.strictSame((await refusal('/v1/report', { org: 'acme', feature })), [400, 'invalid_request', ORG])
  t.strictSame((await refusal('/v1/report', { org, feature: 'msg' })).slice(1), ['invalid_request', "feature name must start with 'feature:'"])
})

t.test('3.1 push takes comments and trailing commas', async t => {
  const { status, body } = await api.post('/v1/push', '{ // ours\n "plans": { "plan:c@0": { "features": { "feature:c": {}, }, }, }, /* end */ }')
  t.strictSame([status, body.results], [200, [{ feature: 'feature:c@plan:c@0', status: 'ok', reason: 'created' }]])
  t.hasStrict(await refusal('/v1/push', '{"plans":{"__proto__":{}}}'), [400, 'invalid_request'])
})
