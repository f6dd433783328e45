import { writeFileSync } from 'node:fs'
import { pagesWithSettings } from './settings.ts'

for (const { url, current } of pagesWithSettings()) writeFileSync(url, current)
