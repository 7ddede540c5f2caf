import type { Wide } from './token-columns.js'

/** Converts a 64-bit integer column to a number. Anything else becomes `NaN`, and a token with that value is refused. */
export const wide = (value: Wide): number => {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN
}

/** Returns whether a cell is NULL, which some drivers return as `undefined`. */
export const isAbsent = (cell: unknown): cell is null | undefined => cell === null || cell === undefined
