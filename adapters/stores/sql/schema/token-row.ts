import { StoreUnavailableError } from '../../../../src/errors.js'
import type { FieldKind } from '../../../../src/model/fields.js'
import type { ListedToken, StoredToken } from '../../../../src/model/record.js'
import { foldAscii } from '../../../../src/policy/fold-ascii.js'
import { FIELD_COLUMNS, type TokenColumn, type TokenRow, type Wide } from './token-columns.js'
import { wide } from './wide.js'

type Cell = string | number | bigint | null | undefined

/** Marks a string that is not valid JSON. */
const DAMAGED = Symbol('damaged')

const parse = (cell: Cell): unknown => {
  try {
    return JSON.parse(String(cell))
  } catch {
    return DAMAGED
  }
}

const asIs = (value: unknown): Cell => value as Cell
const number = (cell: Cell): unknown => wide(cell as Wide)
// Any value but 1 is returned unchanged, and readers of the record refuse it.
const flag = (cell: Cell): unknown => (wide(cell as Wide) === 1 ? true : cell)
const json = { write: (value: unknown): Cell => JSON.stringify(value), read: parse }

const CODECS: { readonly [Kind in FieldKind]: { write(value: unknown): Cell; read(cell: Cell): unknown } } = {
  id: { write: asIs, read: asIs },
  word: { write: asIs, read: asIs },
  text: { write: asIs, read: asIs },
  count: { write: asIs, read: number },
  instant: { write: asIs, read: number },
  duration: { write: asIs, read: number },
  grants: json,
  resources: json,
  networks: json,
  json,
  flag: { write: (value) => (value === true ? 1 : null), read: flag },
}

const COLUMNS = FIELD_COLUMNS.map(({ field, column, kind }) => ({ field, column, ...CODECS[kind] }))

/** Returns the columns of a token, as they are inserted and updated. */
export const tokenToRow = (token: StoredToken): TokenRow & { name_folded: string } => {
  const fields: { readonly [field: string]: unknown } = token
  const row: Partial<Record<TokenColumn, Cell>> & { name_folded: string } = { name_folded: foldAscii(token.name) }
  for (const { field, column, write } of COLUMNS) {
    const value = fields[field]
    row[column] = value === undefined ? null : write(value)
  }
  return row as TokenRow & { name_folded: string }
}

/**
 * Converts a row to the record that the port returns: absent values become absent keys.
 *
 * @throws StoreUnavailableError `store_unavailable` for a row without one of the columns
 */
export const rowToToken = (row: TokenRow): StoredToken => {
  const cells: { readonly [Column in TokenColumn]: Cell } = row
  const token: { [field: string]: unknown } = {}
  const damaged: string[] = []
  for (const { field, column, read } of COLUMNS) {
    const cell = cells[column]
    // A driver may return NULL as undefined, but a missing column must not be mistaken for NULL.
    if (cell === undefined && !(column in cells)) throw new StoreUnavailableError(`the database's result lacks the column ${column}`)
    if (cell === null || cell === undefined) continue
    const value = read(cell)
    if (value === DAMAGED) damaged.push(field)
    token[field] = value
  }
  return (damaged.length > 0 ? closed(token, damaged) : token) as StoredToken
}

// No scopes and no allowed addresses; `NaN` as the expiry fails every comparison.
const NOTHING: { readonly [Kind in FieldKind]?: unknown } = { grants: [], networks: [], resources: {} }
const OPENING: ReadonlySet<FieldKind> = new Set(['grants', 'networks', 'resources', 'json', 'flag'])

/** Invalidates a token with damaged text, which must neither give access nor fail the other records that were read with it. */
const closed = (token: { readonly [field: string]: unknown }, damaged: readonly string[]): object => {
  const rest: { [field: string]: unknown } = { ...token }
  for (const { field, kind } of FIELD_COLUMNS) {
    if (!OPENING.has(kind)) continue
    delete rest[field]
    if (kind in NOTHING) rest[field] = NOTHING[kind]
  }
  return { ...rest, expiresAt: Number.NaN, damaged }
}

/** Converts a row of `list`: the token and its last use. */
export const rowToListed = (row: TokenRow & { last_used_at: Wide | null; last_used_ip: string | null }): ListedToken => {
  const token: { -readonly [Key in keyof ListedToken]: ListedToken[Key] } = rowToToken(row)
  if (row.last_used_at !== null && row.last_used_at !== undefined) token.lastUsedAt = wide(row.last_used_at)
  if (row.last_used_ip !== null && row.last_used_ip !== undefined) token.lastUsedIp = row.last_used_ip
  return token
}
