const SPECIAL = /[&<>"']/g

/** Markup, to be sent as it is. Only `html` can make it, so no text becomes markup by being passed on. */
class Html {
  readonly #text: string
  constructor (text: string) {
    this.#text = text
  }

  toString (): string {
    return this.#text
  }
}

export type { Html }

/** null: nothing */
type Value = Html | string | number | null | readonly Html[]

/** A template of markup. What is put into it is text, escaped for content and for quoted attributes, unless `html` made it. */
export function html (texts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(texts.map((text, i) => text + rendered(values[i] ?? null)).join(''))
}

function rendered (value: Value): string {
  if (value === null) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(rendered).join('')
  return String(value).replace(SPECIAL, character => `&#${character.charCodeAt(0)};`)
}
