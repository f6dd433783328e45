/** What we use of jsdom: its own types bring the names of a browser into every file. */
declare module 'jsdom' {
  export class JSDOM {
    constructor (html: string, options: { url: string, runScripts: 'outside-only' })
    readonly window: {
      eval (script: string): unknown
      close (): void
    }
  }
}
