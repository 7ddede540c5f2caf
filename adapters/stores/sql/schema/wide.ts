import type { Wide } from './token-columns.js'

/** A 64-bit integer column as a number. What is not an integer becomes `NaN`, which refuses a token. */
export const wide = (value: Wide): number => {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN
}

/** NULL, which some drivers give as `undefined`. */
export const isAbsent = (cell: unknown): cell is null | undefined => cell === null || cell === undefined
