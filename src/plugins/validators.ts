import AjvCompiler from '@fastify/ajv-compiler'

type Compiler = ReturnType<AjvCompiler.BuildCompilerFromPool>

/** One of a process: it knows again what it has compiled for another app. */
const pool = AjvCompiler()

/**
 * Fastify's compiler of schemas, but each is compiled by the first request that it judges: few processes meet every route, and all
 * schemas together are a tenth of a start.
 */
export const lateValidators: AjvCompiler.BuildCompilerFromPool = (externalSchemas, options) => {
  const compile = pool(externalSchemas, options)
  return schema => late(compile, schema)
}

function late (compile: Compiler, schema: Parameters<Compiler>[0]): ReturnType<Compiler> {
  let compiled: ReturnType<Compiler> | undefined
  const validate = ((data: unknown) => {
    compiled ??= compile(schema)
    const isRight = compiled(data)
    validate.errors = compiled.errors ?? null
    return isRight
  }) as ReturnType<Compiler>
  return validate
}
