import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ROOT } from '../fixtures/root.ts'

const TESTS = new URL('test/', ROOT)
/** `t.test('2.1, 4.1 some words'` */
const TITLE = /\btest\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g

interface Title {
  readonly rows: readonly string[]
  readonly words: string
}

function titlesIn (text: string): Title[] {
  return [...text.matchAll(TITLE)].flatMap(([, single, double]) => {
    const [, rows, words] = /^(\d(?:\.\d)?(?:, \d(?:\.\d)?)*) (.*)$/.exec(single ?? double ?? '') ?? []
    return rows === undefined || words === undefined ? [] : [{ rows: rows.split(', '), words }]
  })
}

function files (folder: URL): URL[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const url = new URL(entry.isDirectory() ? `${entry.name}/` : entry.name, folder)
    return entry.isDirectory() ? files(url) : entry.name.endsWith('.ts') ? [url] : []
  })
}

const titles = files(TESTS).flatMap(url => titlesIn(readFileSync(url, 'utf8')))
const list = readFileSync(new URL('tier/README.md', TESTS), 'utf8')
const contract = [...list.matchAll(/^\| (\d(?:\.\d)?) \| `(.*?)` \|/gm)].map(([, row = '', words = '']) => ({ row, words }))
const hasTest = (row: string, words: string): boolean => titles.some(title => title.rows.includes(row) && title.words.includes(words))

t.test('every row of Tier\'s contract has a test that names it', async t => {
  t.strictSame([...new Set(contract.map(({ row }) => row))], ['2.1', '2.2', '3.2', '3.3', '3.4', '3.5', '3.6', '3.7', '4.1', '4.2', '4.3', '5', '6'])
  t.strictSame(contract.filter(({ row, words }) => !hasTest(row, words)), [])
})

t.test('a row without a test is missed', async t => {
  t.notOk(hasTest('2.1', 'rule 1'), 'the words of another row are not enough')
  t.notOk(hasTest('3.6', 'rule 9'))
})
