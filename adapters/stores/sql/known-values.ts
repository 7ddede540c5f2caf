import { StoreUnavailableError } from '../../../src/errors.js'
import { wide } from './schema/wide.js'

/** Values that pools are known to change: an instant of 13 digits, text outside Latin, a character of four bytes, JSON text, empty text. */
export const KNOWN = {
  int: 1_893_456_000_123,
  text: 'Ω東京 naïve 🔑',
  json: '{"東":[1,null,"🔑"],"at":"2026-01-01T00:00:00.000Z"}',
  empty: '',
} as const

/** The bytes of the known text in UTF-8, as the server must have received them. */
const BYTES = Buffer.from(KNOWN.text, 'utf8').toString('hex')

/** The columns that a dialect's statement answers the known values in, in one row; `known_bytes` where the server can show its bytes. */
const COLUMNS = ['known_int', 'known_text', 'known_json', 'known_empty', 'known_null'] as const

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'null'
  if (Buffer.isBuffer(value)) return 'a Buffer'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'string' ? 'other text' : `a ${typeof value}`
}

const isInt = (value: unknown): boolean =>
  (typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint') && wide(value) === KNOWN.int

/** Says how the one row with the known values differs from them, one phrase each. A NULL may come back as `undefined`. */
export const differencesOf = (rows: readonly unknown[]): readonly string[] => {
  const [row] = rows
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return ['rows do not come back as objects']
  const got = row as { readonly [column: string]: unknown }
  // A NULL may be left out of a row altogether.
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
    differences.push('text reaches the server in another character set')
  }
  return differences
}

/**
 * Refuses a pool or handle that changes what goes through it.
 *
 * @throws StoreUnavailableError `store_unavailable`, which names the differences and, where they are known, the options behind them
 */
export const refuseDifferences = (store: string, differences: readonly string[], options: readonly string[] = []): void => {
  if (differences.length === 0) return
  const cause = options.length === 0 ? '' : ` because of ${options.join(', ')}`
  throw new StoreUnavailableError(
    `${store} store: what it was given changes the values that go through it${cause}: ${differences.join('; ')}: give it a pool or handle without such settings`,
  )
}
