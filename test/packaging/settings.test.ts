import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { pagesWithSettings, settings } from './settings.ts'

t.test('the tables name every setting that is read, and no other', async t => {
  const read = new Set<string | symbol>()
  loadConfig(new Proxy({}, { get: (_, name) => { read.add(name) } }))
  t.strictSame(settings.map(({ name }) => name).toSorted(), [...read].toSorted())
})

t.test('each is what its table says it sets, and takes what its table gives as an example', async t => {
  const standard = loadConfig({})
  for (const { name, member, example, absent } of settings) {
    const value = /^(\d+|true|false)$/.test(example) ? JSON.parse(example) as unknown : example
    t.strictSame(loadConfig({ [name]: example }), { ...standard, [member]: value }, name)
    t.equal(absent === undefined, standard[member] !== undefined, `${name} has a default, or a word for having none`)
  }
})

t.test('README.md and docs/operations.md have the table', async t => {
  for (const { url, text, current } of pagesWithSettings()) t.equal(text, current, `run \`npm run settings\` for ${url.pathname}`)
})
