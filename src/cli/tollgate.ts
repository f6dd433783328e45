#!/usr/bin/env node
import { Failure, parseLine, placeOf, type Terminal, UsageProblem } from './command.ts'
import { commandAt, type Named } from './commands.ts'
import { helpOn } from './help.ts'
import { plain } from './output.ts'
import type { Service } from './service.ts'

/** Runs one line. @returns the exit code */
async function main (words: readonly string[], terminal: Terminal): Promise<number> {
  let help = 'tollgate help'
  try {
    const named = commandAt(words)
    help = `tollgate help ${named.command.name}`
    await run(named, terminal)
    return 0
  } catch (error) {
    const expected = error instanceof UsageProblem || error instanceof Failure
    const lines = expected ? error.message.split('\n').map(plain) : [error instanceof Error ? error.stack : String(error)]
    if (error instanceof UsageProblem) lines.push(`for help: ${help}`)
    for (const line of lines) terminal.stderr.write(`tollgate: ${line}\n`)
    return error instanceof UsageProblem ? 2 : error instanceof Failure ? error.exitCode : 1
  }
}

async function run ({ command, rest }: Named, terminal: Terminal): Promise<void> {
  const line = parseLine(command, rest)
  if (line.options.help === true) {
    terminal.stdout.write(helpOn(command))
    return
  }
  let service: Service | undefined
  try {
    await command.run({
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

// Whoever reads our output may have seen enough of it, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? 0 : 1) })
process.exitCode = await main(process.argv.slice(2), process)
