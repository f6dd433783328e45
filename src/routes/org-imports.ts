import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { ORG_COLUMNS, type RowProblem } from '../domain/org-row.ts'
import { TollgateError } from '../errors.ts'
import { exportOrgs } from '../operations/org-export.ts'
import { importOrgs, listImports, readImport } from '../operations/org-imports.ts'
import type { OrgImport } from '../storage/org-imports.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { problems, Time, timeText } from './schemas.ts'

const CSV = 'text/csv'
const COLUMNS = ORG_COLUMNS.map(name => `\`${name}\``).join(', ')
const EXAMPLE = 'org,name,email,billingId,metadata\norg:acme,Acme,ops@acme.example,cus_Lp1bSKob4laHDD,"{""tier"":""gold""}"\n' +
  'org:acme-again,Acme again,ops@acme.example,,\n'

const File = Type.Unsafe({ description: `The first line names the columns: ${COLUMNS}`, examples: [EXAMPLE] })

const State = Type.Unsafe<OrgImport['state']>({
  type: 'string',
  enum: ['receiving', 'applying', 'done', 'refused'],
  description: '`receiving`: on its way in; `applying`: all of it is here; `done`; `refused`: nothing of it was imported'
})

const Import = Type.Object({
  id: Type.String(),
  state: State,
  atomic: Type.Boolean(),
  received: Type.Integer({ description: 'Rows that were read' }),
  applied: Type.Integer({ description: 'Rows that are done with' }),
  created: Type.Integer({ description: 'Orgs that are new' }),
  changed: Type.Integer({ description: 'Orgs of which something else is known than before' }),
  refused: Type.Integer({ description: 'Rows that were not right' }),
  problems: Type.Unsafe<readonly RowProblem[]>(Type.Array(Type.Object({
    line: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'The first is 1; null: the file as a whole' }),
    column: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'As line 1 names it; null: the line as a whole' }),
    detail: Type.String()
  }), { description: 'The first hundred of them' })),
  createdAt: Time
}, {
  examples: [{
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    state: 'applying',
    atomic: false,
    received: 3,
    applied: 0,
    created: 0,
    changed: 0,
    refused: 1,
    problems: [{ line: 3, column: 'email', detail: 'invalid email' }],
    createdAt: '2026-01-31T12:00:00.000Z'
  }]
})

/** Orgs as CSV, out and in. */
export const orgImportRoutes: FastifyPluginAsyncTypebox = async app => {
  // As it arrives: it may be larger than what this process can hold.
  app.addContentTypeParser(CSV, (_request, payload, done) => done(null, payload))

  app.get('/orgs.csv', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'All orgs as CSV',
      description: `A line for each, with ${COLUMNS}. What a spreadsheet would take for a formula begins with an apostrophe, which an import takes away again.`,
      response: { 200: { description: 'The file that an import takes', content: { [CSV]: { schema: Type.Unsafe<Readable>({ examples: [EXAMPLE] }) } } }, ...problems }
    }
  }, async ({ principal: { environment } }, reply) => await reply.type(`${CSV}; charset=utf-8`)
    .header('content-disposition', 'attachment; filename="orgs.csv"').send(await exportOrgs(app.stores, environment)))

  app.post('/org-imports', {
    config: { scope: 'admin' },
    schema: {
      tags: ['orgs'],
      summary: 'Import orgs from CSV',
      description: 'Creates orgs, and changes what is known of those that there are. A column that the file has is what is known from now ' +
        'on, an empty cell forgets it, and what the file has no column for stays. Answered when all of it is here and was checked; it is applied ' +
        'in the background, whatever happens meanwhile: read the import to follow it. Rows that are not right are left out, or with `atomic=true` refuse ' +
        'the whole file. The same file again changes nothing. UTF-8, RFC 4180, up to 256 MiB and 500,000 rows; `id` in place of `org` is without its prefix.',
      consumes: [CSV],
      querystring: Type.Object({
        atomic: Type.Optional(Type.Unsafe<'true' | 'false'>({ type: 'string', enum: ['true', 'false'], description: '`true`: all rows or none' }))
      }, { additionalProperties: false }),
      body: { content: { [CSV]: { schema: File } } },
      response: { 200: Import, ...problems }
    }
  }, async ({ body, query: { atomic }, principal: { environment } }) => {
    // A file without anything in it arrives as none.
    const file: unknown = body ?? Readable.from([])
    if (!(file instanceof Readable)) throw new TollgateError('unsupported_media_type', `the content type must be ${CSV}`)
    try {
      return wire(await importOrgs(app.stores, { environment, file, atomic: atomic === 'true' }))
    } finally {
      // What nobody reads any more is let through, so that whoever still sends it hears the answer.
      file.resume()
    }
  })

  app.get('/org-imports', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'List imports of orgs',
      description: 'The latest first; for 30 days.',
      querystring: Type.Object(Paging, { additionalProperties: false }),
      response: { 200: Type.Object({ imports: Type.Array(Import), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query, principal: { environment } }) => {
    const { items, nextCursor } = await listImports(app.stores, { environment, ...paging(query) })
    return { imports: items.map(wire), nextCursor }
  })

  app.get('/org-imports/:id', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'How far an import of orgs has come',
      params: Type.Object({ id: Type.String({ maxLength: 100, examples: ['01890a5d-ac96-774b-bcce-b302099a8057'] }) }),
      response: { 200: Import, ...problems }
    }
  }, async ({ params: { id }, principal: { environment } }) => wire(await readImport(app.stores, environment, id)))
}

function wire (found: OrgImport) {
  return { ...found, createdAt: timeText(found.createdAt) }
}
