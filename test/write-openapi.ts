import { writeFileSync } from 'node:fs'
import { openapiYaml } from './fixtures/openapi.ts'

writeFileSync(new URL('../openapi.yaml', import.meta.url), await openapiYaml())
