import { chromium } from 'playwright-core'
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { openApi } from '../fixtures/api.ts'

/**
 * The checkout page in a real browser, run by hand: `npm run look`, or with another folder than `data/look`. It follows
 * the page through, fails where that does not work, and leaves screenshots to be looked at.
 */
const { CHROMIUM = '/usr/bin/chromium' } = process.env
const FOLDER = process.argv[2] ?? 'data/look'

const ends: Array<() => unknown> = []
const scope = { teardown: (end: () => unknown) => { ends.unshift(end) } }

/** The caller's own pages: `/welcome` sends on to another origin, as one does that asks its customers to sign in. */
async function callersPages (): Promise<{ here: string, elsewhere: string }> {
  const server = createServer((request, response) => {
    if (request.url === '/welcome') response.writeHead(302, { location: `${elsewhere}/signed-in` })
    response.end(`this is ${request.url}, referred by ${request.headers.referer ?? 'nobody'}`)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ends.unshift(() => server.close())
  const { port } = server.address() as AddressInfo
  const elsewhere = `http://localhost:${port}`
  return { here: `http://127.0.0.1:${port}`, elsewhere }
}

const PLANS = {
  'plan:free@0': { title: 'Free', features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] } } },
  'plan:pro@1': {
    title: 'Pro',
    currency: 'eur',
    features: {
      'feature:api-calls': { title: 'API calls', tiers: [{ upto: 1000 }, { upto: 50000, price: 0.02 }, { price: 0.0125, base: 500 }], overage: true },
      'feature:seats': { title: 'Seats', tiers: [{ upto: 5 }], aggregate: 'perpetual' },
      'feature:sso': { title: 'Single sign-on' },
      'feature:storage': { title: 'Storage, GB', tiers: [{ price: 3 }], divide: { by: 10, rounding: 'up' } },
      'feature:support': { title: 'Support', base: 4900 }
    }
  },
  'plan:jp@1': { title: '年間プラン', currency: 'jpy', interval: '@yearly', features: { 'feature:base': { base: 120000 } } },
  'plan:evil@1': {
    title: '<script>document.title="owned"</script>"><img src=x onerror=alert(1)> \u202e live',
    features: { 'feature:"onclick=1><b>': { title: '&amp;</style><b>bold</b>'.repeat(8), base: 1 } }
  }
}

async function look (): Promise<void> {
  mkdirSync(FOLDER, { recursive: true })
  const api = await openApi(scope)
  await api.push(PLANS)
  await api.subscribe('org:acme', 'plan:free@0')
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  const service = `127.0.0.1:${(api.app.server.address() as AddressInfo).port}`
  const { here, elsewhere } = await callersPages()
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  ends.unshift(async () => await browser.close())

  const linkFor = async (sent: object): Promise<string> =>
    (await api.post('/v1/checkout', { org: 'org:acme', success_url: `${here}/welcome`, cancel_url: `${here}/pricing`, ...sent }, { host: service })).body.url

  /** Opens it in a browser of its own, takes its picture, and says what the browser complained of. */
  async function open (name: string, url: string, { dark = false, width = 1000 } = {}) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: dark ? 'dark' : 'light' })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', message => complaints.push(message.text()))
    page.on('pageerror', error => complaints.push(String(error)))
    const asked: string[] = []
    page.on('request', request => asked.push(request.url()))
    const status = (await page.goto(url))?.status()
    await page.screenshot({ path: join(FOLDER, `${name}.png`), fullPage: true })
    const sideways = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
    assert.equal(sideways, false, `${name} does not scroll sideways`)
    console.log(`${name}: ${status}, "${await page.title()}"${complaints.length > 0 ? `, browser says: ${complaints.join('; ')}` : ''}`)
    return { page, status, complaints, asked }
  }

  const pro = await linkFor({ features: ['plan:pro@1'], trial_days: 14 })
  const light = await open('light', pro)
  assert.deepEqual([light.status, light.complaints, light.asked], [200, [], [pro]], 'no complaint, and nothing asked of anyone else')
  await open('dark', pro, { dark: true })
  await open('narrow', pro, { width: 360 })
  await open('narrow-dark', pro, { width: 360, dark: true })
  await open('yen-and-part', await linkFor({ features: ['plan:jp@1', 'feature:api-calls@plan:pro@1'] }))
  const evil = await open('hostile', await linkFor({ features: ['plan:evil@1'] }), { width: 360 })
  assert.equal(evil.page.url().includes('owned') || (await evil.page.title()) === 'owned', false)
  assert.equal(await evil.page.locator('script, img, b').count(), 0)

  const cancelled = await open('cancel', pro)
  await cancelled.page.getByRole('link', { name: 'Cancel' }).click()
  await cancelled.page.waitForURL(`${here}/pricing`)
  assert.match(await cancelled.page.innerText('body'), /referred by nobody/)
  assert.deepEqual((await api.phase('org:acme')).plans, ['plan:free@0'])

  await light.page.getByRole('button', { name: 'Confirm' }).dblclick()
  await light.page.waitForURL(`${elsewhere}/signed-in`)
  assert.match(await light.page.innerText('body'), /referred by nobody/)
  const { plans, trial } = await api.phase('org:acme')
  assert.deepEqual([plans, trial], [['plan:pro@1'], true])
  await light.page.goBack()
  await light.page.screenshot({ path: join(FOLDER, 'back.png') })
  console.log(`back: ${light.page.url()}, "${await light.page.title()}"`)
  assert.equal((await open('used', pro)).status, 410)

  const setup = await open('setup', await linkFor({}))
  await setup.page.getByRole('button', { name: 'Continue' }).press('Enter')
  await setup.page.waitForURL(`${elsewhere}/signed-in`)

  assert.equal((await open('changed', `${pro.slice(0, -1)}${pro.endsWith('A') ? 'B' : 'A'}`)).status, 400)
  assert.equal((await open('cut-off', pro.slice(0, -20), { dark: true, width: 360 })).status, 400)
  await api.on('2035-01-01')
  assert.equal((await open('expired', await linkFor({ features: ['plan:free@0'] }).then(async url => {
    await api.on('2035-01-02')
    return url
  }))).status, 410)
  console.log(`screenshots are in ${FOLDER}`)
}

try {
  await look()
} finally {
  for (const end of ends) await end()
}
