import t from 'tap'
import { openApi } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { orgImportSpecification } from './org-imports-specification.ts'

withEachLedger(t, 'files of orgs', orgImportSpecification)

t.test('a refusal in the middle of a file reaches whoever still sends it', async t => {
  // Else the service waits as long at its end for whoever does.
  const api = await openApi(t, { connectionBounds: { drainTimeoutMs: 100 } })
  const address = await api.app.listen({ port: 0 })
  const file = `org,name\norg:a,"x"y\n${'org:b,x\n'.repeat(200_000)}`
  const response = await fetch(`${address}/v1/org-imports`, { method: 'POST', headers: { 'content-type': 'text/csv' }, body: file })
  t.equal(response.status, 400)
  t.hasStrict(await response.json(), { message: 'line 2, cell 2: after a closing quote a comma or the end of the line must come' })
})
