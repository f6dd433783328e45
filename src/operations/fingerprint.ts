import { hash } from 'node:crypto'

/**
 * A UUID's worth of SHA-256 over a request as it was sent, not over what became of it: an absent `at` stays absent, so a
 * retry a minute later is the same request.
 */
export function fingerprint (content: readonly unknown[]): string {
  const digest = hash('sha256', JSON.stringify(content), 'hex')
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${digest.slice(12, 16)}-${digest.slice(16, 20)}-${digest.slice(20, 32)}`
}
