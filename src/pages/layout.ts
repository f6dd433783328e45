import { hash } from 'node:crypto'
import { html, type Html } from './html.ts'

/** Colours that a person can read in either light: every text has a contrast of 4.5 or more. */
const STYLE = html`
:root { color-scheme: light dark; --page: #f3f4f6; --card: #fff; --text: #16191d; --soft: #5a6270; --line: #dfe3e8; --accent: #1f5fd0; --on-accent: #fff;
  --notice: #fff4d6; --on-notice: #5c4300 }
@media (prefers-color-scheme: dark) { :root { --page: #0e1116; --card: #181c23; --text: #e8ebf0; --soft: #a2abb8; --line: #2d343e; --accent: #7cabff;
  --on-accent: #0b1a33; --notice: #3a2f10; --on-notice: #f5dc9a } }
* { box-sizing: border-box }
body { margin: 0; padding: 2rem 1rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { max-width: 36rem; margin: 0 auto; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25 }
h2 { margin: 0; font-size: 1.2rem }
p { margin: .5rem 0 0 }
.soft { color: var(--soft); font-size: .9rem }
.notice { margin: 1.25rem 0 0; padding: .75rem 1rem; border-radius: .5rem; background: var(--notice); color: var(--on-notice); font-size: .95rem }
.plan { margin-top: 1.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line) }
.row { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1.5rem; align-items: baseline }
.price { font-size: 1.5rem; font-weight: 650 }
ul { margin: 1rem 0 0; padding: 0; list-style: none }
li { padding: .6rem 0; border-top: 1px solid var(--line) }
table { width: 100%; margin-top: .5rem; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
caption { padding-bottom: .25rem; color: var(--soft); text-align: left; caption-side: top }
th, td { padding: .2rem .75rem .2rem 0; text-align: left; font-weight: 400 }
th { color: var(--soft) }
th + th, td + td { padding-right: 0; text-align: right }
form, .actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.75rem }
.button { padding: .7rem 1.4rem; border: 1px solid var(--line); border-radius: .6rem; background: none; color: inherit; font: inherit; font-weight: 600;
  text-decoration: none; cursor: pointer }
.main { border-color: var(--accent); background: var(--accent); color: var(--on-accent) }
.button:hover { filter: brightness(1.08) }
.button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.end { margin-top: 1.5rem }
@media (max-width: 30rem) { body { padding: 0 } main { min-height: 100vh; padding: 1.5rem 1rem; border: 0; border-radius: 0 } .button { flex: 1; text-align: center } }
`

/**
 * What every page is sent with. No script, nothing from elsewhere, no frame around it, no trace of its address, which is
 * all that is needed to confirm. A form may lead anywhere on the web: Chromium holds `form-action` against every redirect
 * that follows a submit, and where a caller's own page sends its customers on to is not known here.
 */
export const PAGE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash('sha256', String(STYLE), 'base64')}'; ` +
    "form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex'
} as const

export function page (title: string, body: Html): string {
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`)
}
