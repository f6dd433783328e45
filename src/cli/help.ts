import { type Command, command, optionsOf, UsageProblem } from './command.ts'

const INDENT = '  '

/** @param all late, because it is one of them */
export function help (all: () => readonly Command[]): Command {
  return command({
    name: 'help',
    summary: 'what a command does, and how',
    args: ['[command]', '[action]'],
    options: {},
    remote: false,
    examples: ['tollgate help replay', 'tollgate help keys create'],
    run: async ({ args, terminal }) => { terminal.stdout.write(textOn(args.join(' '), all())) }
  })
}

function textOn (topic: string, commands: readonly Command[]): string {
  if (topic === '') return overview(commands)
  const found = commands.filter(({ name }) => name === topic || name.startsWith(`${topic} `))
  if (found.length === 0) throw new UsageProblem(`there is no command "${topic}"`)
  return found.map(helpOn).join('\n\n')
}

function overview (commands: readonly Command[]): string {
  return text([
    'Tollgate meters what customers use and decides what they may still use.',
    '',
    'tollgate <command> [options]',
    '',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Commands that work on a service take --url and --key, or TOLLGATE_URL and TOLLGATE_KEY.',
    'Exit codes: 0 done, 1 not done, 2 not understood.',
    '',
    'Example',
    `${INDENT}tollgate help serve`
  ])
}

export function helpOn (command: Command): string {
  const { name, args, summary, details, examples, program = 'tollgate' } = command
  const options = Object.entries(optionsOf(command)).map(([option, { value, help }]) =>
    [`--${option}${value === undefined ? '' : ` <${value}>`}`, help] as const)
  return text([
    [program, name, ...args, '[options]'].join(' '),
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    ...(details === undefined ? [] : ['', details.trim()]),
    '',
    'Options',
    ...columns(options),
    '',
    examples.length === 1 ? 'Example' : 'Examples',
    ...examples.map(example => `${INDENT}${example}`)
  ])
}

function columns (rows: ReadonlyArray<readonly [string, string]>): string[] {
  const width = Math.max(...rows.map(([first]) => first.length))
  return rows.map(([first, second]) => `${INDENT}${first.padEnd(width)}  ${second}`)
}

function text (lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}
