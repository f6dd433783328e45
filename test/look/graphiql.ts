import { chromium } from 'playwright-core'
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { openApi } from '../fixtures/api.ts'
import { temporaryFolder } from '../fixtures/guard.ts'

/**
 * GraphiQL in a real browser, run by hand as the checkout page's look is. It runs a query, fails if anything is asked of
 * anybody else, and leaves a screenshot to be looked at.
 */
const { CHROMIUM = '/usr/bin/chromium' } = process.env
const FOLDER = process.argv[2] ?? 'data/look'

const ends: Array<() => unknown> = []
const scope = { teardown: (end: () => unknown) => { ends.unshift(end) }, testdir: () => temporaryFolder('look') }

async function look (): Promise<void> {
  mkdirSync(FOLDER, { recursive: true })
  const api = await openApi(scope)
  await api.push({ 'plan:free@0': { title: 'Free', features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] } } } })
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  const address = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`

  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  ends.unshift(async () => await browser.close())
  const page = await browser.newPage({ viewport: { width: 1400, height: 800 } })
  const asked: string[] = []
  const complaints: string[] = []
  page.on('request', request => asked.push(request.url()))
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(error.message))
  await page.goto(`${address}/graphql`)
  await page.getByRole('button', { name: /Execute query/ }).click()
  await page.locator('.result-window').getByText('"Free"', { exact: true }).waitFor()
  await page.screenshot({ path: join(FOLDER, 'graphiql.png') })

  assert.deepEqual(asked.filter(url => !url.startsWith(`${address}/`) && !url.startsWith('data:')), [], 'nobody else was asked')
  assert.deepEqual(complaints, [])
  console.log(`${asked.length} requests, all to this service; see ${join(FOLDER, 'graphiql.png')}`)
}

try {
  await look()
} finally {
  for (const end of ends) await end()
}
