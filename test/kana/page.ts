import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { KanaUserClient, KanaUserClientConfig } from '@usekana/client-kana-js'
import { JSDOM } from 'jsdom'
import type { Scope } from '../fixtures/guard.ts'

/** The bundle as npm has it. It is for browsers: it is run in a page, as a script of that page. */
const BUNDLE = readFileSync(createRequire(import.meta.url).resolve('@usekana/client-kana-js'), 'utf8')

/** A page of another origin than the service's, so that its browser asks before it sends what a page may not send by itself. */
export interface Page {
  readonly origin: string
  readonly Client: new (config: KanaUserClientConfig) => KanaUserClient
}

export function openPage (t: Scope): Page {
  const origin = 'http://app.example.com'
  const { window } = new JSDOM('<!doctype html>', { url: `${origin}/account`, runScripts: 'outside-only' })
  t.teardown(() => window.close())
  const run = window.eval(`(function (exports, process) {${BUNDLE}\n})`) as (exports: object, process: object) => void
  const exported: { KanaUserClient?: Page['Client'] } = {}
  // What a bundler puts in its place.
  run(exported, { env: { NODE_ENV: 'production' } })
  if (exported.KanaUserClient === undefined) throw new Error('the bundle exports no KanaUserClient')
  return { origin, Client: exported.KanaUserClient }
}
