import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Service } from './service.ts'

/** A flag, or with `value`, the name of what it takes, an option. */
export interface Option {
  readonly help: string
  readonly value?: string
  /** A number that may be negative, which looks like an option. */
  readonly signed?: true
}

export type Options = Readonly<Record<string, Option>>

type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends { readonly value: string } ? string | undefined : boolean }

/** A person reads it, or a program or a file. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean }

/** What is around a command: the process, in the tool itself. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly stdout: Output
  readonly stderr: Output
}

export interface Invocation<O extends Options> {
  readonly options: Values<O>
  readonly args: readonly string[]
  /** For a program that reads: JSON on stdout, and nothing else there. */
  readonly json: boolean
  readonly terminal: Terminal
  /** The service that the options name. @throws UsageProblem */
  connect (connections?: number): Promise<Service>
}

interface Spec<O extends Options> {
  /** One word, or two: `keys create`. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly details?: string
  /** What it is a command of, if not of `tollgate`. */
  readonly program?: string
  /** `<file>` must be given, `[topic]` may be, and of a last one `[plan...]` any number. */
  readonly args?: readonly string[]
  readonly options: O
  /** Works on a service: takes `--url`, `--key`, `--clock` and `--json`. */
  readonly remote: boolean
  /** Lines that work as they stand. */
  readonly examples: readonly string[]
  /** @returns the exit code, where doing it well has more than one */
  readonly run: (invocation: Invocation<O>) => Promise<number | void>
}

export interface Command extends Omit<Spec<Options>, 'run'> {
  readonly args: readonly string[]
  /** @param line what `parseLine` made of the command's options */
  readonly run: (line: Line & Omit<Invocation<Options>, 'options'>) => Promise<number | void>
}

/** What the caller can mend by typing something else: exit code 2. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem'
}

/** What the command could not do, in sentences, one a line. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: number
  constructor (message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

const URL_STANDARD = 'http://127.0.0.1:8080'

const HELP = { help: { help: 'show this' } } as const satisfies Options
const REMOTE = {
  url: { value: 'url', help: `the service; else TOLLGATE_URL, else ${URL_STANDARD}` },
  key: { value: 'key', help: 'the API key; else TOLLGATE_KEY, which does not show in a list of processes' },
  clock: { value: 'id', help: 'a test clock, in which it happens' },
  json: { help: 'JSON, for programs' }
} as const satisfies Options

export function command<const O extends Options> (spec: Spec<O>): Command {
  return { args: [], ...spec, run: async invocation => await spec.run(invocation as unknown as Invocation<O>) }
}

/** Every option that a command takes, its own first. */
export function optionsOf ({ options, remote }: Command): Options {
  return { ...options, ...(remote && REMOTE), ...HELP }
}

export interface Line {
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  readonly args: readonly string[]
}

/** Reads what follows a command's name; a flag that is not there is false. @throws UsageProblem */
export function parseLine (command: Command, words: readonly string[]): Line {
  const options = optionsOf(command)
  const { values, positionals } = parsed(options, words)
  const flags = Object.entries(options).filter(([, { value }]) => value === undefined).map(([name]) => [name, false])
  const given = { ...Object.fromEntries(flags), ...values }
  if (given.help === true) return { options: given, args: [] }
  const missing = command.args[positionals.length]
  if (missing?.startsWith('<')) throw new UsageProblem(`${command.name} needs ${missing}`)
  const extra = command.args.at(-1)?.endsWith('...]') === true ? undefined : positionals[command.args.length]
  if (extra !== undefined) throw new UsageProblem(`${command.name} does not know what to do with "${extra}"`)
  return { options: given, args: positionals }
}

function parsed (options: Options, words: readonly string[]): { values: Line['options'], positionals: readonly string[] } {
  const known: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' }])
  )
  try {
    const { values, positionals } = parseArgs({
      args: words.map((word, i) => isNegative(word, words[i - 1], options) ? `${MARK}${word}` : word),
      options: { ...known, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true
    })
    const given = Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? unmarked(value) : value])
    return { values: Object.fromEntries(given) as Line['options'], positionals: positionals.map(unmarked) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const named = /'(?:-\w, )?(--?[^' ]+)/.exec(message)?.[1] ?? 'option'
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') throw new UsageProblem(`there is no option ${named}`)
    if (code !== 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') throw error
    const { value } = options[named.replace(/^-+/, '')] ?? {}
    throw new UsageProblem(value === undefined ? `${named} takes no value` : `${named} needs a value: ${named} <${value}>`)
  }
}

/** No word of a command line can hold it: marks a word as no option. */
const MARK = '\0'

/** No option is a digit: `-5` is an argument, or the value of an option that may be negative. */
function isNegative (word: string, before: string | undefined, options: Options): boolean {
  const { value, signed } = options[before?.replace(/^--/, '') ?? ''] ?? {}
  return /^-\d/.test(word) && (value === undefined || signed === true)
}

function unmarked (word: string): string {
  return word.startsWith(MARK) ? word.slice(MARK.length) : word
}

export interface Place {
  readonly url: URL
  readonly key: string | undefined
  /** The id of a test clock. */
  readonly clock?: string
}

/** Where the service is, and who asks. @throws UsageProblem */
export function placeOf ({ options }: Line, env: NodeJS.ProcessEnv): Place {
  const [from, text] = given(['--url', options.url], ['TOLLGATE_URL', env.TOLLGATE_URL]) ?? ['', URL_STANDARD]
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || `${url.search}${url.hash}` !== '') {
    throw new UsageProblem(`${from} must be an address such as ${URL_STANDARD}, not "${text}"`)
  }
  const [source, key] = given(['--key', options.key], ['TOLLGATE_KEY', env.TOLLGATE_KEY]) ?? []
  // The value is a secret: it is not repeated.
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) throw new UsageProblem(`${source} must be a key: printable characters without space`)
  const { clock } = options
  if (typeof clock === 'string' && !/^[\x21-\x7e]+$/.test(clock)) throw new UsageProblem(`--clock must be the id of a test clock, not "${clock}"`)
  return { url, key, ...(typeof clock === 'string' && { clock }) }
}

/** The first that is there; an empty setting counts as absent. */
function given (...candidates: ReadonlyArray<readonly [from: string, value: string | boolean | undefined]>): [string, string] | undefined {
  for (const [from, value] of candidates) {
    if (typeof value === 'string' && value.trim() !== '') return [from, value.trim()]
  }
  return undefined
}

export interface Bounds {
  readonly standard: number
  readonly min: number
  readonly max: number
}

/** A whole number in an option. @throws UsageProblem */
export function wholeOption (name: string, text: string | undefined, { standard, min, max }: Bounds): number {
  if (text === undefined) return standard
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new UsageProblem(`--${name} must be a whole number from ${min} to ${max}, not "${text}"`)
}
