import { StoreUnavailableError } from '../../../src/errors.js'
import { wide } from './schema/wide.js'

/** Values that some pools change: an instant of 13 digits, non-Latin text, a four-byte character, JSON text, empty text. */
export const KNOWN = {
  int: 1_893_456_000_123,
  text: 'Ω東京 naïve 🔑',
  json: '{"東":[1,null,"🔑"],"at":"2026-01-01T00:00:00.000Z"}',
  empty: '',
} as const

/** The bytes of the known text in UTF-8, as the server must have received them. */
const BYTES = Buffer.from(KNOWN.text, 'utf8').toString('hex')

/** The columns in which a dialect's statement returns the known values, in one row; `known_bytes` if the server can show its bytes. */
const COLUMNS = ['known_int', 'known_text', 'known_json', 'known_empty', 'known_null'] as const

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'null'
  if (Buffer.isBuffer(value)) return 'a Buffer'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'string' ? 'different text' : `a ${typeof value}`
}

const isInt = (value: unknown): boolean =>
  (typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint') && wide(value) === KNOWN.int

/** Describes how the row differs from the known values, one phrase for each difference. A NULL may come back as `undefined`. */
export const differencesOf = (rows: readonly unknown[]): readonly string[] => {
  const [row] = rows
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return ['rows do not come back as objects']
  const got = row as { readonly [column: string]: unknown }
  // A row may omit a NULL.
  if (COLUMNS.some((column) => column !== 'known_null' && !Object.hasOwn(got, column))) return ['columns come back under other names']
  const differences: string[] = []
  const differs = (what: string, value: unknown): void => {
    differences.push(`${what} comes back as ${kindOf(value)}`)
  }
  if (!isInt(got.known_int)) differs('a 13-digit integer', got.known_int)
  if (got.known_text !== KNOWN.text) differs('text in other scripts', got.known_text)
  if (got.known_json !== KNOWN.json) differs('JSON text', got.known_json)
  if (got.known_empty !== KNOWN.empty) differs('empty text', got.known_empty)
  if (got.known_null !== null && got.known_null !== undefined) differs('NULL', got.known_null)
  if (typeof got.known_bytes === 'string' && got.known_bytes.toLowerCase() !== BYTES) {
    differences.push('text reaches the server in a different character set')
  }
  return differences
}

/**
 * Refuses a pool or handle that changes the values that pass through it.
 *
 * @throws StoreUnavailableError `store_unavailable`, which names the differences and, if known, the options that cause them
 */
export const refuseDifferences = (store: string, differences: readonly string[], options: readonly string[] = []): void => {
  if (differences.length === 0) return
  const cause = options.length === 0 ? '' : ` because of ${options.join(', ')}`
  throw new StoreUnavailableError(
    `${store} store: the pool or handle passed to it changes the values that pass through it${cause}: ${differences.join('; ')}: use one without such settings`,
  )
}
