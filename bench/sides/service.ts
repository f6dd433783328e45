/** Calls to a side outside what is measured. @throws for an answer that is not of 2xx */
export async function send (url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const answer = await fetch(`${url}${path}`, init)
  const text = await answer.text()
  if (!answer.ok || text.includes('"status":"failed"')) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
  return JSON.parse(text)
}
