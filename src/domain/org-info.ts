import { TollgateError } from '../errors.ts'
import { checkStorable } from './properties.ts'

/** What Tier keeps about an org besides its subscription. Every text is at most 1,000 characters. */
export interface OrgInfo {
  readonly email?: string
  readonly name?: string
  readonly description?: string
  readonly phone?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** Asked for with the schedule, and shown with it. */
  readonly automaticTax?: boolean
}

/** As a caller sends it: Go's clients send null for what is unset. */
export type SentInfo = { readonly [Member in Exclude<keyof OrgInfo, 'automaticTax'>]?: OrgInfo[Member] | null }

const TEXT_MAX = 1_000
const METADATA_KEYS_MAX = 50
const TEXTS = ['email', 'name', 'description', 'phone'] as const
const EMAIL = /^[^\s@]+@[^\s@]+$/
const RESERVED_PREFIX = 'tier.'

/**
 * What is stored after `sent` came in: empty texts leave the old value, metadata is merged, and a key is deleted by the
 * empty string (Tier's behaviour, reference section 3.2).
 * @throws TollgateError `invalid_email`, `invalid_metadata`, `invalid_request`
 */
export function mergeInfo (stored: OrgInfo, sent: SentInfo, pointer = '/info'): OrgInfo {
  const texts = Object.fromEntries(TEXTS.flatMap(member => {
    const text = sent[member] || stored[member]
    return text === undefined ? [] : [[member, checked(text, `${pointer}/${member}`)]]
  }))
  if (sent.email && !EMAIL.test(sent.email)) throw new TollgateError('invalid_email', 'invalid email', { pointer: `${pointer}/email` })
  const metadata = mergeMetadata(stored.metadata ?? {}, sent.metadata ?? {}, `${pointer}/metadata`)
  const { automaticTax } = stored
  return { ...texts, ...(Object.keys(metadata).length > 0 && { metadata }), ...(automaticTax !== undefined && { automaticTax }) }
}

function mergeMetadata (
  stored: Readonly<Record<string, string>>, sent: Readonly<Record<string, string>>, pointer: string
): Record<string, string> {
  for (const [key, text] of Object.entries(sent)) {
    if (key.startsWith(RESERVED_PREFIX)) {
      throw new TollgateError('invalid_metadata', "metadata keys must not use reserved prefix ('tier.')", { pointer })
    }
    checked(key, pointer)
    checked(text, pointer)
  }
  const merged = Object.fromEntries(Object.entries({ ...stored, ...sent }).filter(([, text]) => text !== ''))
  if (Object.keys(merged).length > METADATA_KEYS_MAX) {
    throw new TollgateError('invalid_metadata', `metadata must have at most ${METADATA_KEYS_MAX} keys`, { pointer })
  }
  return merged
}

function checked (text: string, pointer: string): string {
  checkStorable(text, pointer)
  if (text.length > TEXT_MAX) {
    throw new TollgateError('invalid_request', `${pointer.slice(1)} must be at most ${TEXT_MAX} characters`, { pointer })
  }
  return text
}
