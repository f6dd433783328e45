import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../../test/fixtures/guard.ts'
import type { Load, Loaded, Report } from './load.ts'

export type Generate = (load: Load) => Promise<Loaded>

/** Starts the load generator; it takes one load at a time. */
export function startGenerator (scope: Scope): Generate {
  const child = fork(fileURLToPath(new URL('generator-process.ts', import.meta.url)), {
    execArgv: ['--import', import.meta.resolve('tsx')]
  })
  const ended = new Promise<never>((_resolve, reject) => child.once('close', code => reject(new Error(`the load generator ended (${code})`))))
  ended.catch(() => {})
  scope.teardown(() => { if (child.connected) child.disconnect() })

  return async load => {
    const answer = new Promise<Report>(resolve => child.once('message', message => resolve(message as Report)))
    child.send(load)
    const report = await Promise.race([answer, ended])
    if ('error' in report) throw new Error(report.error)
    return report
  }
}
