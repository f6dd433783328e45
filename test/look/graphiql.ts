import { type Browser, chromium } from 'playwright-core'
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Api, openApi } from '../fixtures/api.ts'

/**
 * GraphiQL in a real browser, run by hand as the checkout page's look is. It runs a query, fails if anything is asked of
 * anybody else, and leaves a screenshot to be looked at.
 */
const { CHROMIUM = '/usr/bin/chromium' } = process.env
const KEY = 'prv_live_0123456789abcdef'
const FOLDER = process.argv[2] ?? 'data/look'

const ends: Array<() => unknown> = []
const scope = { teardown: (end: () => unknown) => { ends.unshift(end) } }

async function look (): Promise<void> {
  mkdirSync(FOLDER, { recursive: true })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  ends.unshift(async () => await browser.close())
  const open = await openApi(scope)
  await lookAt(browser, open, undefined, 'graphiql')
  await lookAt(browser, await open.as(KEY), KEY, 'graphiql-key')
}

/** @param key typed in as the page says, where the server asks for one */
async function lookAt (browser: Browser, api: Api, key: string | undefined, name: string): Promise<void> {
  await api.push({ 'plan:free@0': { title: 'Free', features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] } } } })
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  const address = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`
  const page = await browser.newPage({ viewport: { width: 1400, height: 800 } })
  const asked: string[] = []
  const complaints: string[] = []
  page.on('request', request => asked.push(request.url()))
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(error.message))
  const answer = page.locator('.result-window')
  await page.goto(`${address}/graphql`)
  if (key !== undefined) {
    await answer.getByText('Unauthenticated').first().waitFor()
    await page.screenshot({ path: join(FOLDER, `${name}-missing.png`) })
    await page.locator('.graphiql-editor-tool').click()
    await page.keyboard.type(`{"authorization": "${key}"`)
    await page.getByRole('button', { name: /Re-fetch/ }).click()
  }
  await page.getByRole('button', { name: /Execute query/ }).click()
  await answer.getByText('"Free"', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click()
  await page.getByText('Mutation', { exact: true }).first().waitFor()
  await page.screenshot({ path: join(FOLDER, `${name}.png`) })

  assert.deepEqual(asked.filter(url => !url.startsWith(`${address}/`) && !url.startsWith('data:')), [], 'nobody else was asked')
  assert.deepEqual(complaints, [])
  console.log(`${asked.length} requests, all to this service; see ${join(FOLDER, `${name}.png`)}`)
}

try {
  await look()
} finally {
  for (const end of ends) await end()
}
