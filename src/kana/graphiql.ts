import type { FastifyInstance } from 'fastify'
import { readFile } from 'node:fs/promises'
import { GRAPHIQL_FILES, pathOf } from './graphiql-files.ts'

/** The page asks nobody but this service. GraphiQL and its editor set style attributes from their script. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; " +
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphiQL - Tollgate</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/graphql/page/page.css">
<link rel="stylesheet" href="/graphql/page/graphiql.css">
</head>
<body>
<div id="graphiql">Loading...</div>
<script src="/graphql/page/react.js"></script>
<script src="/graphql/page/react-dom.js"></script>
<script src="/graphql/page/graphiql.js"></script>
<script src="/graphql/page/page.js"></script>
</body>
</html>
`

const STYLE = 'html, body { margin: 0; height: 100% }\n#graphiql { height: 100vh }\n'

/** Keys stay in the tab: they are not kept where other pages of this address could read them later. */
const SCRIPT = `'use strict'
const welcome = \`# Kana's admin API. On a server that asks for keys, put yours
# under Headers, {"authorization": "prv_..."}, and fetch the
# schema again, by the two arrows at the left.

query listPackages {
  packages(status: "ALL") {
    id
    name
    status
    features {
      id
      limit
    }
  }
}
\`
ReactDOM.createRoot(document.getElementById('graphiql')).render(React.createElement(GraphiQL, {
  fetcher: GraphiQL.createFetcher({ url: '/graphql' }),
  defaultQuery: welcome,
  defaultEditorToolsVisibility: 'headers',
  shouldPersistHeaders: false
}))
`

const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' }
const BELIEVED_SECONDS = 3_600

/** `GET /`: GraphiQL. Anybody may open it: it has no data, and asks for them with the key that is typed in. */
export function graphiqlPage (app: FastifyInstance): void {
  const texts = new Map<string, Promise<string>>([['page.js', Promise.resolve(SCRIPT)], ['page.css', Promise.resolve(STYLE)]])

  app.get('/', { prefixTrailingSlash: 'no-slash', schema: { hide: true } }, async (_request, reply) =>
    await reply.headers(HEADERS).type('text/html; charset=utf-8').send(PAGE))

  for (const name of [...Object.keys(GRAPHIQL_FILES), ...texts.keys()]) {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] as string
    app.get(`/page/${name}`, { schema: { hide: true } }, async (_request, reply) =>
      await reply.headers({ ...HEADERS, 'cache-control': `max-age=${BELIEVED_SECONDS}` }).type(type).send(await textOf(name)))
  }

  async function textOf (name: string): Promise<string> {
    const source = GRAPHIQL_FILES[name]
    const text = texts.get(name) ?? readFile(pathOf(name, source as readonly [string, string]), 'utf8')
    texts.set(name, text)
    return await text
  }
}
