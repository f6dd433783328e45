import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ROOT } from '../fixtures/root.ts'

const FOLDER = new URL('test/kana/', ROOT)
/** What a test is called by: `'F1, S3: some words'`, in any quotes. */
const TITLE = /(['"`])([A-Z]\d+(?:, [A-Z]\d+)*): ((?:\\.|(?!\1)[^\\\n])*)\1/g

interface Title {
  readonly rows: readonly string[]
  readonly words: string
}

function titlesIn (text: string): Title[] {
  return [...text.matchAll(TITLE)].map(([, , rows = '', words = '']) => ({ rows: rows.split(', '), words: words.replaceAll('\\', '') }))
}

const files = readdirSync(FOLDER).filter(name => name.endsWith('.ts'))
const titles = files.flatMap(name => titlesIn(readFileSync(new URL(name, FOLDER), 'utf8')))
const list = readFileSync(new URL('README.md', FOLDER), 'utf8')
const contract = [...list.matchAll(/^\| ([A-Z]\d+) \| `(.*?)` \|/gm)].map(([, row = '', words = '']) => ({ row, words }))
const hasTest = (row: string, words: string): boolean => titles.some(title => title.rows.includes(row) && title.words.includes(words))

/** How many rows each table of the contract has. */
const ROWS = { E: 14, R: 10, D: 15, S: 35, F: 15, I: 9 } as const
const WITHOUT_TEST = ['S33', 'S34']

t.test('every row of Kana\'s contract has a test that names it', async t => {
  const all = Object.entries(ROWS).flatMap(([table, count]) => Array.from({ length: count }, (_, i) => `${table}${i + 1}`))
  t.strictSame([...new Set(contract.map(({ row }) => row))], all.filter(row => !WITHOUT_TEST.includes(row)))
  t.strictSame(contract.filter(({ row, words }) => !hasTest(row, words)), [])
})

t.test('a test names no row that there is not', async t => {
  t.strictSame(titles.flatMap(({ rows }) => rows).filter(row => !contract.some(known => known.row === row)), [])
})

t.test('a row without a test is missed', async t => {
  t.notOk(hasTest('S2', 'syntax error'), 'the words of another row are not enough')
  t.notOk(hasTest('F13', 'four reasons'))
})
