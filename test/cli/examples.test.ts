import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commands } from '../../src/cli/commands.ts'
import { folderOf } from '../e2e/embedded.ts'
import { servedTool } from './served.ts'
import { runCommand, runTool, scriptText, TOLLGATE } from './tool.ts'

const PRICING = {
  plans: {
    'plan:free@0': { features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] } } },
    'plan:pro@1': { features: { 'feature:api-calls': { tiers: [{ upto: 50_000 }] }, 'feature:sso': {} } }
  }
}
/** What these need is not an empty service: they have tests of their own. */
const ELSEWHERE = ['serve', 'replay', 'keys create', 'keys list', 'keys rotate', 'keys revoke']

t.test('the examples of every command work as they stand, one after the other', async t => {
  const { api } = await servedTool(t)
  const elsewhere = await api.as('prv_examples_0123456789abcdef')
  const TOLLGATE_URL = await elsewhere.app.listen({ host: '127.0.0.1', port: 0 })
  const cwd = folderOf(t)
  writeFileSync(join(cwd, 'pricing.json'), JSON.stringify(PRICING))
  writeFileSync(join(cwd, 'call-the-api'), '#!/bin/sh\necho called\n')
  mkdirSync(join(cwd, 'bin'))
  writeFileSync(join(cwd, 'bin', 'tollgate'), scriptText(TOLLGATE))
  for (const program of ['call-the-api', 'bin/tollgate']) chmodSync(join(cwd, program), 0o755)
  const env = { PATH: `${join(cwd, 'bin')}:${process.env.PATH}`, TOLLGATE_URL, TOLLGATE_KEY: 'prv_examples_0123456789abcdef' }

  for (const { name, examples } of commands.filter(({ name }) => !ELSEWHERE.includes(name))) {
    const help = await runCommand(['help', ...name.split(' ')])
    t.match(help, { code: 0, stderr: '' }, `help ${name}`)
    for (const example of examples) {
      t.ok(help.stdout.includes(`\n  ${example}\n`), example)
      t.match(await runTool(t, ['-c', example], { cwd, env, command: ['/bin/sh'] }), { code: 0, stderr: '' }, example)
    }
    // The last of its examples cancels.
    if (name === 'subscribe') t.match(await elsewhere.subscribe('org:acme', 'plan:pro@1'), {})
  }
  t.match(await elsewhere.can('org:acme', 'feature:api-calls'), { used: 3, limit: 50_000 })
})
