import { Failure, parseLine, placeOf, type Terminal, UsageProblem } from './command.ts'
import type { Named } from './commands.ts'
import { helpOn } from './help.ts'
import { plain } from './output.ts'
import type { Service } from './service.ts'

/**
 * Runs one line. What keeps it from that is said on stderr.
 * @param find the command that the line begins with
 * @returns the exit code
 */
export async function runLine (words: readonly string[], find: (words: readonly string[]) => Named, terminal: Terminal): Promise<number> {
  let help = 'tollgate help'
  try {
    const named = find(words)
    help = `${named.command.program ?? 'tollgate'} help ${named.command.name}`
    return await run(named, terminal) ?? 0
  } catch (error) {
    const expected = error instanceof UsageProblem || error instanceof Failure
    const lines = expected ? error.message.split('\n').map(plain) : [error instanceof Error ? error.stack : String(error)]
    if (error instanceof UsageProblem) lines.push(`for help: ${help}`)
    for (const line of lines) terminal.stderr.write(`tollgate: ${line}\n`)
    return error instanceof UsageProblem ? 2 : error instanceof Failure ? error.exitCode : 1
  }
}

async function run ({ command, rest }: Named, terminal: Terminal): Promise<number | void> {
  const line = parseLine(command, rest)
  if (line.options.help === true) {
    terminal.stdout.write(helpOn(command))
    return
  }
  let service: Service | undefined
  try {
    return await command.run({
      ...line,
      json: line.options.json === true,
      terminal,
      connect: async connections => {
        const place = placeOf(line, terminal.env)
        const { openService } = await import('./service.ts')
        service = openService(place, connections)
        return service
      }
    })
  } finally {
    await service?.close()
  }
}

/** Whoever reads our output may have seen enough of it, as `head` has. */
export function endWithReader ({ stdout }: Terminal): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? 0 : 1) })
}
