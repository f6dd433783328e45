import { sized } from '../fixtures/size.ts'

/** How much these tests do: a setting of this name, else what fits into `npm test` on two cores, or its whole form. */
export function sizeOf (name: string, short: number, whole = short): number {
  const given = process.env[`TOLLGATE_E2E_${name}`]
  return given === undefined ? sized(short, whole) : Number(given)
}
