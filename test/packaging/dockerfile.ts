/** A Dockerfile, as far as ours goes: what is not understood is refused, so that nothing is left unproved. */

export interface Step {
  readonly instruction: 'COPY' | 'RUN'
  /** Of `COPY`: the stage, or undefined for the context. */
  readonly from: string | undefined
  readonly text: string
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: string
}

export interface Stage {
  readonly name: string | undefined
  readonly base: string
  readonly steps: readonly Step[]
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly workdir: string
  readonly user: string
  readonly volumes: readonly string[]
  readonly ports: readonly string[]
  readonly stopSignal: string
  readonly command: readonly string[]
  readonly healthcheck: { readonly command: readonly string[], readonly options: Readonly<Record<string, string>> } | undefined
}

type Building = { -readonly [Member in keyof Stage]: Stage[Member] } & { steps: Step[], variables: Record<string, string> }

/** @throws for an instruction or a form that is not known here */
export function parseDockerfile (text: string): Stage[] {
  const globals: Record<string, string> = {}
  const stages: Building[] = []
  for (const { instruction, rest } of instructions(text)) {
    if (instruction === 'FROM') {
      const [, base = '', name] = /^(\S+)(?: AS (\S+))?$/.exec(expand(rest, globals)) ?? unknown(instruction, rest)
      stages.push(stageOn(base, name))
      continue
    }
    const stage = stages.at(-1)
    if (stage !== undefined) apply(stage, instruction, rest)
    else if (instruction === 'ARG') Object.assign(globals, argument(rest))
    else unknown(instruction, rest)
  }
  return stages
}

function stageOn (base: string, name: string | undefined): Building {
  return {
    name,
    base,
    steps: [],
    env: {},
    labels: {},
    workdir: '/',
    user: '0:0',
    volumes: [],
    ports: [],
    stopSignal: 'SIGTERM',
    command: [],
    healthcheck: undefined,
    variables: {}
  }
}

function apply (stage: Building, instruction: string, rest: string): void {
  const { env, workdir, user } = stage
  const text = instruction === 'RUN' || instruction === 'CMD' || instruction === 'HEALTHCHECK' ? rest : expand(rest, { ...stage.variables, ...env })
  switch (instruction) {
    case 'ARG': Object.assign(stage.variables, argument(text)); break
    case 'ENV': stage.env = { ...env, ...pairs(text) }; break
    case 'LABEL': stage.labels = { ...stage.labels, ...pairs(text) }; break
    case 'WORKDIR': stage.workdir = text; break
    case 'USER': stage.user = text; break
    case 'VOLUME': stage.volumes = [...stage.volumes, text]; break
    case 'EXPOSE': stage.ports = [...stage.ports, text]; break
    case 'STOPSIGNAL': stage.stopSignal = text; break
    case 'CMD': stage.command = JSON.parse(text) as string[]; break
    case 'RUN': stage.steps.push({ instruction, from: undefined, text, workdir, env, user }); break
    case 'COPY': {
      const [, from, paths = ''] = /^(?:--from=(\S+) )?([^-].*)$/.exec(text) ?? unknown(instruction, text)
      stage.steps.push({ instruction, from, text: paths, workdir, env, user })
      break
    }
    case 'HEALTHCHECK': {
      const [, options = '', command = ''] = /^((?:--\S+ )*)CMD (\[.*\])$/.exec(text) ?? unknown(instruction, text)
      const given = options.split(' ').filter(option => option !== '').map(option => option.slice(2).split('='))
      stage.healthcheck = { command: JSON.parse(command) as string[], options: Object.fromEntries(given) }
      break
    }
    default: unknown(instruction, rest)
  }
}

function instructions (text: string): Array<{ instruction: string, rest: string }> {
  const joined = text.split('\n').filter(line => !/^\s*(#|$)/.test(line)).join('\n').replace(/\\\n\s*/g, '')
  return joined.split('\n').map(line => {
    const [, instruction = '', rest = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? unknown('', line)
    return { instruction, rest }
  })
}

function expand (text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)\}/g, (_, name: string) => variables[name] ?? unknown('the variable', name))
}

function argument (text: string): Record<string, string> {
  const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(text) ?? unknown('ARG', text)
  return { [name]: value }
}

function pairs (text: string): Record<string, string> {
  const found = [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)]
  if (found.map(([whole]) => whole).join(' ') !== text) unknown('the pairs', text)
  return Object.fromEntries(found.map(([, name = '', quoted, bare]) => [name, quoted ?? bare ?? '']))
}

function unknown (what: string, text: string): never {
  throw new Error(`not understood: ${what} ${text}`)
}

/** The names at the top of the folder that `.dockerignore` lets through; it must begin by ignoring everything. */
export function namesInContext (dockerignore: string): string[] {
  const [first, ...others] = dockerignore.split('\n').filter(line => !/^(#|$)/.test(line))
  if (first !== '*') unknown('.dockerignore', first ?? 'is empty')
  return others.map(line => /^!([\w.-]+)$/.exec(line)?.[1] ?? unknown('.dockerignore', line))
}
