import { bytesToHex } from '@noble/hashes/utils.js'
import { InvalidInputError } from '../../../errors.js'

/** The encoding of a hash in a text column. A binary column needs none. */
export type HashEncoding = 'hex' | 'base64' | 'base64url'

const TEXTS: { readonly [Encoding in HashEncoding]: RegExp } = {
  hex: /^(?:[0-9A-Fa-f]{2})+$/,
  base64: /^[0-9A-Za-z+/]+={0,2}$/,
  base64url: /^[0-9A-Za-z_-]+={0,2}$/,
}

/** A plausible column name. If the file has no header, its first row is treated as the column names, and may contain a secret. */
const NAME = /^(?=.{1,32}$)[A-Za-z_][A-Za-z_ -]*\d{0,3}[A-Za-z_ -]*$/
/** The maximum number of names in a message. */
const MAX_NAMES = 30

/** Returns the value of a column. */
function columnOf(row: unknown, column: string): unknown {
  let names: readonly string[]
  try {
    const value: unknown = Reflect.get(Object(row), column)
    if (value !== undefined || Reflect.has(Object(row), column)) return value
    names = Object.keys(Object(row))
  } catch {
    throw new InvalidInputError([column], 'could not be read')
  }
  const isHeader = names.length > 0 && names.every((name) => NAME.test(name))
  const shown = names.length > MAX_NAMES ? [...names.slice(0, MAX_NAMES), '…'] : names
  const there = isHeader ? `it has ${shown.join(', ')}` : 'in a table, the first line must name the columns'
  throw new InvalidInputError([column], `the row has no column ${column}; ${there}`)
}

/**
 * Returns the text of a column. Numbers are accepted, because IDs may be numbers.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function textIn(row: unknown, column: string): string {
  const value = columnOf(row, column)
  const text = Number.isSafeInteger(value) || typeof value === 'bigint' ? String(value) : value
  if (typeof text !== 'string' || text === '') throw new InvalidInputError([column], 'must be a non-empty string')
  return text
}

/**
 * Returns the hash in a column, in lowercase hexadecimal.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function hashIn(row: unknown, column: string, size: number, encoding: HashEncoding, mark: string): string {
  const value = columnOf(row, column)
  const hex = value instanceof Uint8Array ? bytesToHex(new Uint8Array(value)) : decode(value, encoding, mark)
  if (hex?.length !== 2 * size) {
    const behind = mark === '' ? '' : ` after ${JSON.stringify(mark)}`
    throw new InvalidInputError([column], `must be a hash of ${size} bytes in ${encoding}${behind}`)
  }
  return hex
}

function decode(value: unknown, encoding: HashEncoding, mark: string): string | undefined {
  if (typeof value !== 'string' || !value.startsWith(mark)) return undefined
  // Fixed-width columns are padded with spaces.
  const text = value.slice(mark.length).trimEnd()
  if (text.length > 256 || !TEXTS[encoding].test(text)) return undefined
  if (encoding === 'hex') return text.toLowerCase()
  const plain = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  try {
    return bytesToHex(Uint8Array.from(atob(plain), (char) => char.charCodeAt(0)))
  } catch {
    return undefined
  }
}
