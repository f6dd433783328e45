#!/usr/bin/env node
import { commandAt } from './commands.ts'
import { endWithReader, runLine } from './run.ts'

endWithReader(process)
process.exitCode = await runLine(process.argv.slice(2), commandAt, process)
