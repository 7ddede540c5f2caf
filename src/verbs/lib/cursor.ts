import { InvalidInputError } from '../../errors.js'
import { fingerprint } from '../../token/derive-id.js'

/** A position may contain a name and an ID of 200 characters each. A UTF-16 code unit takes at most three bytes, which are nine characters when encoded. */
export const MAX_CURSOR = 4000

/**
 * Writes a public cursor: a position in a list, and a checksum that binds it to its query.
 *
 * The checksum is not secret and protects nothing: every page checks what the actor can see. The checksum makes sure that a cursor that was cut, mistyped
 * or used with another query is refused instead of silently skipping rows.
 */
export function writeCursor(position: readonly (string | number)[], query: unknown): string {
  const text = position.map(encode).join('-')
  return `${text}-${bind(text, query)}`
}

/**
 * Reads a cursor.
 *
 * @throws InvalidInputError `invalid_input`, with the field that contains the cursor
 */
export function readCursor(cursor: unknown, query: unknown, parts: number, field = 'cursor'): readonly string[] {
  if (typeof cursor === 'string' && cursor.length <= MAX_CURSOR) {
    const pieces = cursor.split('-')
    const sum = pieces.pop()
    const position = pieces.length === parts && sum === bind(pieces.join('-'), query) ? decoded(pieces) : undefined
    if (position !== undefined) return position
  }
  throw new InvalidInputError(field, 'is not a cursor for this query: start again without one')
}

/** Reads the position of a token in a list. */
export function positionOf([createdAt, id]: readonly string[]): { readonly createdAt: number; readonly id: string } {
  const at = Number(createdAt)
  if (!Number.isSafeInteger(at) || id === undefined)
    throw new InvalidInputError('cursor', 'is not a cursor for this query: start again without one')
  return { createdAt: at, id }
}

/** The separator between parts must not appear inside a part. */
function encode(part: string | number): string {
  return encodeURIComponent(part).replaceAll('-', '%2D')
}

// Anyone can compute the checksum. No store keeps a NUL, and not every database accepts one in a query.
function decoded(pieces: readonly string[]): readonly string[] | undefined {
  try {
    const parts = pieces.map(decodeURIComponent)
    return parts.some((part) => part.includes('\0')) ? undefined : parts
  } catch {
    return undefined
  }
}

function bind(text: string, query: unknown): string {
  return fingerprint(['cursor', text, query]).slice(0, 16)
}
