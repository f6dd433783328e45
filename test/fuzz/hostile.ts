import fc from 'fast-check'
import { anyCodePoint } from '../fixtures/code-point.ts'
import type { Json, Text } from './value.ts'

const TIMES = [
  '2026-01-31T12:00:00Z', '2024-02-29T23:59:59.999+14:00', '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '0001-01-01T00:00:00Z',
  '2999-01-01T00:00:00Z', '9997-12-31T23:59:59Z', '9999-12-31T23:59:59-23:59'
]

/** Texts of the kind this service is asked about; what is refused is refused for its meaning, further in. */
const USEFUL = [
  'org:acme', 'org:nobody', 'org:auth0|5f7c', 'org:请求', 'feature:api-calls', 'feature:none', 'feature:sso', 'plan:free@0', 'plan:none@0',
  'plan:pro@1', 'feature:api-calls@plan:free@0', 'call-1', 'test', 'live', 'latest', 'info', 'true', 'read', 'admin', 'a@b.example',
  '0', '1', '2', '100', '1000', '0.5', '-3', '9999999999999999999.999999999', '9'.repeat(28), 'Europe/Berlin', 'UTC', ''
]

const HOSTILE = [
  '\0', 'org:a\0', '\ud800', 'a\udc00b', 'org:\ud83d', '\u202eorg:a', '\u200b', '\u2028', '\u0085', '\u001b[31m', '🎉', 'org:🎉', '👩‍👩‍👧‍👦', '\ufeff', 'İ', 'ﬃ',
  "' OR 1=1 --", "'; DROP TABLE events; --", '"', '\\', '\\N', '{1,2}', '{"a":1}', '%s%n', '$1', '{{7*7}}', '<script>', '../../etc/passwd', '%2e%2e%2f',
  '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', '[object Object]', 'true', 'org:', 'org: a', 'org:a ', 'ORG:a',
  'feature:', 'feature:a b', 'feature:a@', 'plan:', 'plan:a', 'plan:a@', 'plan:@1', 'plan:a@1@2', 'feature:a@plan:b', '@', ' ', '\t', '\r\n',
  '2026-02-30T00:00:00Z', '2026-01-31', '2026-01-31T24:00:00Z', '2026-13-01T00:00:00Z', '9999-12-31T23:59:59-23:59', '10000-01-01T00:00:00Z',
  '1969-12-31T23:59:59Z', '-1', '-0', '1e3', '1e400', '0x10', '1_000', '١', 'Infinity', '1e-400', '00', '01', '1.0000000001', `1${'0'.repeat(28)}`, '.5', '5.', '+1'
]

const NUMBERS = [
  '0', '-0', '1', '3', '-1', '0.1', '-0.5', '1e2', '1E+2', '100000000', '999999999999999', '1000000000000000', '9007199254740993', '123456789012345678',
  '0.000000001', '0.0000000001', '1.7976931348623157e308', '1e400', '-1e400', '5e-324', '1e-400', '1e28', '1e27', '-1e28', '2147483648', '9223372036854775808'
]

/** Lengths around the bounds that schemas and parsers have. */
const LENGTHS = [1, 40, 41, 63, 64, 65, 240, 241, 255, 256, 300, 301, 500, 501, 800, 801, 8_192]

export const usefulTime = fc.constantFrom(...TIMES)
export const usefulText = fc.constantFrom(...USEFUL, ...TIMES)

export const longText = fc.tuple(fc.constantFrom(...LENGTHS), fc.constantFrom('x', 'ä', '🎉', 'org:', '\u0301'), fc.constantFrom('', 'org:', 'feature:', 'plan:'))
  .map(([length, piece, prefix]) => prefix + piece.repeat(Math.ceil(length / piece.length)).slice(0, length))

export const hostileText = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 2, arbitrary: longText },
  { weight: 2, arbitrary: fc.string({ unit: anyCodePoint, maxLength: 20 }) },
  { weight: 1, arbitrary: fc.tuple(usefulText, fc.constantFrom(...HOSTILE)).map(([a, b]) => a + b) },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map(units => String.fromCharCode(...units)) }
)

export const hostileNumber = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String) },
  { weight: 1, arbitrary: fc.integer().map(String) },
  { weight: 1, arbitrary: fc.bigInt().map(String) }
).map(raw => ({ raw }))

const DEPTHS = [9, 100, 5_000]
const deep = fc.tuple(fc.constantFrom(...DEPTHS), fc.constantFrom(['[', ']'], ['{"a":', '}'], ['{"properties":', '}']))
  .map(([depth, [open = '', close = '']]) => ({ raw: `${open.repeat(depth)}1${close.repeat(depth)}` }))

/** More than a body may be. */
const huge = fc.constantFrom(70_000, 5_000_000).map(length => 'x'.repeat(length))

export const hostileName = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', '', 'a/b~c', 'unknown', 'Org', 'org', 'n', 'id', 'at', 'properties', '0', '$where'), hostileText
)

/** Anything at all, where something else should be. */
export const hostileJson: fc.Arbitrary<Json> = fc.letrec<{ any: Json, some: Json }>(tie => ({
  any: fc.oneof(
    { weight: 60, arbitrary: tie('some') },
    { weight: 10, arbitrary: fc.array(tie('some'), { maxLength: 3 }).map(items => ({ items })) },
    { weight: 10, arbitrary: fc.array(fc.tuple(hostileName, tie('some')), { maxLength: 3 }).map(members => ({ members })) },
    { weight: 3, arbitrary: deep },
    { weight: 1, arbitrary: huge }
  ),
  some: fc.oneof(
    { weight: 4, arbitrary: hostileText },
    { weight: 2, arbitrary: usefulText },
    { weight: 3, arbitrary: hostileNumber },
    { weight: 2, arbitrary: fc.constantFrom<Json>(null, true, false, { items: [] }, { members: [] }, '') }
  )
})).any

/** What is not JSON, or not quite. */
export const brokenTail = fc.constantFrom('', '}', ',', ']', '"', '\\', '{', ' ', '\n', '/*', '//', '\0', '\ufeff', '1', 'null', "'", '}{', '\u2028')

const GARBAGE = [
  '%', '%z', '%zz', '%C3%28', '%00', '%ED%A0%80', '%FF', '%E0%A4%A', '%2', '+', '%2F', '%2e%2e', '..', '.', ';', '%25', '%u0041',
  '%0d%0a', '*', '|', '[', '%5B%5D'
]
/** Part of a URL that is no good percent-encoding, or means something else. */
export const garbage: fc.Arbitrary<Text> = fc.array(fc.constantFrom(...GARBAGE, 'a', 'org:acme'), { minLength: 1, maxLength: 3 })
  .map(parts => ({ encoded: parts.join('') }))

/** Only what HTTP lets through: anything else never becomes a request. */
const headerCharacter = fc.integer({ min: 0x20, max: 0xff }).filter(code => code !== 0x7f).map(code => String.fromCharCode(code))
export const headerText = fc.oneof(fc.string({ unit: headerCharacter, maxLength: 30 }), fc.constantFrom(
  '', ' ', 'x'.repeat(301), 'x'.repeat(5_000), '\t', 'null', 'call-1', '*/*', '"', 'Bearer', 'Bearer ', 'Basic', 'Basic !!!', 'Basic Og==',
  'Digest x', 'prv_test_0123456789abcdef', 'Bearer prv_test_0123456789abcdee', 'Bearer pub_test_0123456789abcdef',
  'Bearer prv_live_0123456789abcdef', 'Bearer prv__', 'Bearer \xff'
))

export const headerName = fc.constantFrom(
  'authorization', 'idempotency-key', 'content-type', 'accept', 'content-length', 'x-forwarded-for', 'origin', 'host', 'accept-encoding',
  'if-none-match', 'range', 'x-http-method-override', 'content-encoding', 'cookie', 'expect'
)

export const contentType = fc.constantFrom(
  'application/json', 'application/json; charset=utf-16', 'APPLICATION/JSON', 'application/json;', 'application/problem+json',
  'application/vnd.api+json', 'text/plain', 'text/json', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'json', '',
  '*/*', 'application/xml', '\xff'
)
