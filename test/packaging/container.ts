import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { type Stage, type Step } from './dockerfile.ts'

/**
 * Runs what a Dockerfile says without a Docker engine: in namespaces and a root folder of its own, on the programs of
 * this machine, read-only, in place of the base image. Needs Linux and root.
 */
export interface Container {
  readonly root: string
  /** A folder with `bin/node`, which stands in for the base image's. */
  readonly node: string
}

const STEP_TIMEOUT_MS = 600_000
const EXEC_TIMEOUT_MS = 10_000
/** What a build gets from outside, as `docker build` passes it on. */
const PASSED_ON = /^(https?_proxy|no_proxy|npm_config_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_\w+)$/i

/**
 * $1 root, $2 node, $3 "build" (the root can be written to) or the one folder that can, $4 user:group, $5 working folder,
 * then the command. Mounts end with the namespace; nothing of them is seen outside.
 */
const ENTER = `
set -eu
root=$1 node=$2 writable=$3 user=$4 workdir=$5; shift 5
mount --bind "$root" "$root"
for folder in usr etc; do
  mkdir -p "$root/$folder"
  mount --bind "/$folder" "$root/$folder"
done
for link in bin sbin lib lib64; do [ ! -L "/$link" ] || [ -e "$root/$link" ] || cp -P "/$link" "$root/$link"; done
mount --bind "$node" "$root/usr/local/bin"
for folder in usr etc usr/local/bin; do mount -o remount,bind,ro "$root/$folder"; done
mkdir -p "$root/proc" "$root/dev" "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ "$writable" != build ]; then
  mount -o remount,bind,ro "$root"
  mount --bind "$root$writable" "$root$writable"
  mount -o remount,bind,rw "$root$writable"
fi
exec chroot --userspec="$user" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$workdir" "$@"`

type Env = Readonly<Record<string, string>>

interface Entry {
  readonly writable: string
  readonly user: string
  readonly workdir: string
  readonly env: Env
  readonly command: readonly string[]
}

/** For `unshare`. */
function entering ({ root, node }: Container, { writable, user, workdir, env, command }: Entry): string[] {
  return [
    '--mount', '--pid', '--fork', '--kill-child', '/bin/sh', '-c', ENTER, 'enter', root, node, writable, user, workdir, ...inEnv(env, command)
  ]
}

function inEnv (env: Env, command: readonly string[]): string[] {
  const pairs = Object.entries({ PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/tmp', ...env })
  return ['/usr/bin/env', '-i', ...pairs.map(([name, value]) => `${name}=${value}`), ...command]
}

export function build (stages: readonly Stage[], context: string, containers: readonly Container[]): void {
  for (const [n, stage] of stages.entries()) {
    const container = containers[n] as Container
    for (const step of stage.steps) {
      mkdirSync(join(container.root, step.workdir), { recursive: true })
      if (step.instruction === 'RUN') runStep(container, step)
      else copyStep(container, step, step.from === undefined ? context : rootOf(stages, containers, step.from))
    }
  }
}

function rootOf (stages: readonly Stage[], containers: readonly Container[], name: string): string {
  const found = containers[stages.findIndex(stage => stage.name === name)]
  if (found === undefined) throw new Error(`there is no stage ${name}`)
  return found.root
}

function runStep (container: Container, { text, env, user, workdir }: Step): void {
  const passedOn = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)) as Array<[string, string]>
  const given = { ...Object.fromEntries(passedOn), ...env }
  const args = entering(container, { writable: 'build', user, workdir, env: given, command: ['/bin/sh', '-c', text] })
  const { status, stderr, stdout } = spawnSync('unshare', args, { encoding: 'utf8', timeout: STEP_TIMEOUT_MS, killSignal: 'SIGKILL' })
  if (status !== 0) throw new Error(`RUN ${text} ended with ${status}:\n${stdout}${stderr}`)
}

/** As Docker does: the contents of a folder, a file under its own name. */
function copyStep ({ root }: Container, { text, workdir }: Step, source: string): void {
  const paths = text.split(' ')
  const to = posix.resolve(workdir, paths.at(-1) as string)
  for (const path of paths.slice(0, -1)) {
    const from = join(source, path)
    const target = statSync(from).isDirectory() || !text.endsWith('/') ? to : posix.join(to, basename(path))
    cpSync(from, join(root, target), { recursive: true, verbatimSymlinks: true })
  }
}

export interface Running {
  readonly child: ChildProcess
  /** The process in the container, as this side numbers it. */
  readonly pid: () => number
  readonly output: () => string
}

/** As `docker run --read-only` with a volume: process 1 of its container, as the image's user. */
export function run (container: Container, { env, user, workdir, volumes, command }: Stage, given: Env): Running {
  const [volume] = volumes
  if (volume === undefined || volumes.length > 1) throw new Error('the image must have one volume')
  const args = entering(container, { writable: volume, user, workdir, env: { ...env, ...given }, command })
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => { output += chunk })
  const pid = (): number => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  return { child, pid, output: () => output }
}

/** As `docker exec`, and as Docker checks health: in the container's namespaces, as its user. */
export function exec (
  pid: number, { env, user }: Stage, command: readonly string[], given: Env
): { status: number | null, output: string } {
  const [uid, gid] = user.split(':')
  const inside = ['--target', `${pid}`, '--mount', '--pid', '--root', '--wd', '--setuid', `${uid}`, '--setgid', `${gid}`]
  const args = [...inside, ...inEnv({ ...env, ...given }, command)]
  const { status, stdout, stderr } = spawnSync('nsenter', args, { encoding: 'utf8', timeout: EXEC_TIMEOUT_MS })
  return { status, output: stdout + stderr }
}
