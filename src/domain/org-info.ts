import { TollgateError } from '../errors.ts'
import { checkProperties, checkStorable, type Properties } from './properties.ts'

/** What is kept about an org besides its subscription. Every text is at most 1,000 characters. */
export interface OrgInfo {
  readonly email?: string
  /** Who it is at the payment provider: `cus_Lp1bSKob4laHDD`. */
  readonly billingId?: string
  readonly name?: string
  readonly description?: string
  readonly phone?: string
  /** Texts, as Tier has them, or any JSON, as Kana does. */
  readonly metadata?: Properties
  /** Asked for with the schedule, and shown with it. */
  readonly automaticTax?: boolean
}

/** As Tier's callers send it: Go's clients send null for what is unset. */
export interface SentInfo extends SentTexts {
  readonly metadata?: Readonly<Record<string, string>> | null
}

type SentTexts = { readonly [Member in typeof TEXTS[number]]?: string | null }

/** What to put in place of what is known; absent: leave it, null: forget it. */
export interface ProfileChange {
  readonly email?: string | null
  readonly billingId?: string | null
  readonly name?: string | null
  readonly description?: string | null
  readonly phone?: string | null
  readonly metadata?: Properties | null
}

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
  const { description: _description, phone: _phone, email: _email, name: _name, metadata: _metadata, ...rest } = stored
  return { ...rest, ...texts, ...(Object.keys(metadata).length > 0 && { metadata }) }
}

/**
 * What is stored after a change of an org's profile: what was sent takes the place of what was there, as a whole.
 * @throws TollgateError `invalid_email`, `invalid_request`
 */
export function changeInfo (stored: OrgInfo, { metadata, ...texts }: ProfileChange, pointer = ''): OrgInfo {
  const next: Record<string, unknown> = { ...stored }
  for (const [member, text] of Object.entries(texts)) {
    if (text === undefined) continue
    // An empty text is no name, and nobody's id.
    if (text === null || text === '') delete next[member]
    else next[member] = checked(text, `${pointer}/${member}`)
  }
  if (texts.email && !EMAIL.test(texts.email)) throw new TollgateError('invalid_email', 'invalid email', { pointer: `${pointer}/email` })
  if (metadata !== undefined) {
    const checkedMetadata = metadata === null ? {} : checkProperties(metadata, `${pointer}/metadata`)
    if (Object.keys(checkedMetadata).length > 0) next.metadata = checkedMetadata
    else delete next.metadata
  }
  return next
}

/** Tier's wire has texts only: anything else is its JSON. */
export function metadataTexts (metadata: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]))
}

function mergeMetadata (stored: Properties, sent: Readonly<Record<string, string>>, pointer: string): Properties {
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
