/** How much these tests do: a setting of this name, else what fits into `npm test` on two cores. */
export function sizeOf (name: string, standard: number): number {
  const given = process.env[`TOLLGATE_E2E_${name}`]
  return given === undefined ? standard : Number(given)
}
