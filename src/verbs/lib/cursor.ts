import { InvalidInputError } from '../../errors.js'
import { fingerprint } from '../../token/derive-id.js'

/**
 * Public cursors: a position in a list and a checksum that binds it to the question it was made for.
 *
 * The checksum is no secret and protects nothing: what an actor may see is checked on every page anyway. It turns a cursor that was
 * cut, mistyped or carried to another query into a clear refusal instead of a page that silently leaves rows out.
 */
export function writeCursor(position: readonly (string | number)[], query: unknown): string {
  const text = position.join('-')
  return `${text}-${bind(text, query)}`
}

/**
 * Reads a cursor back.
 *
 * @throws InvalidInputError `invalid_input`, in the field that the caller gave it in
 */
export function readCursor(cursor: unknown, query: unknown, parts: number, field = 'cursor'): readonly string[] {
  if (typeof cursor === 'string' && cursor.length <= 200) {
    const pieces = cursor.split('-')
    const sum = pieces.pop()
    if (pieces.length === parts && sum === bind(pieces.join('-'), query)) return pieces
  }
  throw new InvalidInputError(field, 'is not a cursor of this query: start again without one')
}

function bind(text: string, query: unknown): string {
  return fingerprint(['cursor', text, query]).slice(0, 16)
}
