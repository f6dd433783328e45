import { type LosslessNumber, stringify } from 'lossless-json'

/** Control characters, of C1 too, and what turns the direction of writing: text of others must not steer the terminal. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Text from elsewhere, safe to print: `\u001b` for an escape. */
export function plain (text: string): string {
  return text.replace(STEERING, character => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
}

/** At most `max` characters of it. */
export function cut (text: string, max: number): string {
  const characters = [...text]
  return characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : text
}

/** Digits that came from the service exactly leave exactly. */
export function json (value: unknown): string {
  return `${stringify(value, null, 2) ?? 'null'}\n`
}

/** Every digit of it; null is unlimited. */
export function figure (value: LosslessNumber | null): string {
  return value === null ? '∞' : value.value
}

/** Columns under their names; what is last may be of any width. */
export function table (names: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const lines = [names, ...rows.map(row => row.map(plain))]
  const widths = names.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  return lines.map(line => `${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`).join('')
}

/** 1234567 as 1,234,567: the same on every machine. */
export function grouped (value: number | bigint): string {
  return value.toLocaleString('en-US')
}

/** 95 as `1 min 35 s`. */
export function duration (seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const whole = Math.round(seconds)
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor(whole % 3_600 / 60)} min`
}
