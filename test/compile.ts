import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import stripTypes from 'ts-blank-space'
import ts from 'typescript'

const FOLDERS = ['src', 'test']
/** What the product reads beside its own folder. */
const BESIDE = ['package.json', 'migrations']
const TYPESCRIPT = /(?<!\.d)\.ts$/
const TEST = /\.test\.ts$/
const FROM_TAP = /from 'tap'/
const FILE_TEST = join('test', 'fixtures', 'file-test.js')

/**
 * Puts product and tests into `folder` as JavaScript, so that node starts them without a loader. Types become spaces: a line
 * and column there is the same line and column here. What test files have from `tap` there is `test/fixtures/file-test.ts`.
 *
 * @param folder inside the project, for the packages
 */
export function compile (root: string, folder: string): void {
  for (const path of FOLDERS.flatMap(name => filesIn(root, name))) {
    const [from, to] = [join(root, path), join(folder, path)]
    mkdirSync(dirname(to), { recursive: true })
    if (!TYPESCRIPT.test(path)) {
      copyFileSync(from, to)
      continue
    }
    const text = javascriptOf(readFileSync(from, 'utf8'), from)
    const tap = relative(dirname(path), FILE_TEST)
    writeFileSync(to.replace(TYPESCRIPT, '.js'), TEST.test(path) ? text.replace(FROM_TAP, `from '${tap.startsWith('.') ? tap : `./${tap}`}'`) : text)
  }
  for (const path of BESIDE) symlinkSync(join(root, path), join(folder, path))
}

function filesIn (root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(root, path) : [path]
  })
}

function javascriptOf (typescript: string, path: string): string {
  return stripTypes(withImportsOfJavascript(typescript), node => {
    const { line } = ts.getLineAndCharacterOfPosition(node.getSourceFile(), node.getStart())
    throw new Error(`${path}:${line + 1} cannot be had by taking types away`)
  })
}

/** The names of both have the same length. */
function withImportsOfJavascript (text: string): string {
  let result = text
  for (const { fileName, pos } of ts.preProcessFile(text).importedFiles) {
    if (!fileName.startsWith('.') || !TYPESCRIPT.test(fileName)) continue
    const start = text.indexOf(fileName, pos)
    result = result.slice(0, start) + fileName.replace(TYPESCRIPT, '.js') + result.slice(start + fileName.length)
  }
  return result
}
