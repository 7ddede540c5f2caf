import { randomUUID } from 'node:crypto'
import type { FieldKind } from '../../../src/model/fields.js'
import type { StoredToken } from '../../../src/model/record.js'
import type { Sql } from './context.js'
import { ask, askRaw, type Steps } from './engine.js'
import { KNOWN, refuseDifferences } from './known-values.js'
import type { Fault, Quirks } from './quirks.js'
import { FIELD_COLUMNS, type TokenRow } from './schema/token-columns.js'
import { rowToToken, tokenToRow } from './schema/token-row.js'

const SAMPLES: { readonly [Kind in FieldKind]: unknown } = {
  id: 'Zz0123456789abcd',
  word: 'word',
  text: KNOWN.text,
  count: 7,
  instant: KNOWN.int,
  duration: 7_776_000,
  grants: ['*', '@staff'],
  resources: { 東: ['🔑', KNOWN.text], none: [] },
  networks: ['10.0.0.0/8', '2001:db8::/32'],
  json: JSON.parse(KNOWN.json),
  flag: true,
}

/** Returns a token with every field, and a token with only the required fields and an empty name. */
const samples = (): readonly StoredToken[] => {
  const full: { [field: string]: unknown } = {}
  const bare: { [field: string]: unknown } = {}
  for (const { field, kind, required } of FIELD_COLUMNS) {
    full[field] = SAMPLES[kind]
    if (required) bare[field] = SAMPLES[kind]
  }
  return [
    { ...full, id: randomUUID() },
    { ...bare, id: randomUUID(), name: '' },
  ] as unknown as readonly StoredToken[]
}

/** Carries the rows out of the transaction that wrote them, and rolls it back. */
class Undone extends Error {
  readonly rows: readonly TokenRow[]

  constructor(rows: readonly TokenRow[]) {
    super('undone')
    this.rows = rows
  }
}

function* steps({ builder }: Sql, find: ReturnType<Quirks['finder']>, tokens: readonly StoredToken[]): Steps<never> {
  for (const token of tokens) yield* ask(builder.insertInto('tokens').values(tokenToRow(token)))
  const { rows } = yield* askRaw(find(tokens.map(({ id }) => id)))
  throw new Undone(rows)
}

const differencesOf = (written: readonly StoredToken[], rows: readonly TokenRow[]): readonly string[] => {
  const read = new Map(rows.map(rowToToken).map((token) => [token.id, token]))
  const changed = new Set<string>()
  for (const token of written) {
    const found: { readonly [field: string]: unknown } = read.get(token.id) ?? {}
    for (const { field } of FIELD_COLUMNS) {
      if (JSON.stringify(found[field]) !== JSON.stringify(Reflect.get(token, field))) changed.add(field)
    }
  }
  return changed.size === 0 ? [] : [`${[...changed].join(', ')} of a token is read back differently from how it was written`]
}

/** The store cannot currently be written to, so no value can be altered, and a real write will report the fault itself. */
const CANNOT_WRITE: ReadonlySet<Fault> = new Set(['full', 'locked', 'contention', 'waited'])

/**
 * Writes two tokens into the tables, reads them back and removes them, in one transaction that is never committed.
 *
 * The connection's own effects on values are known by then; this finds those of tables, columns and plugins.
 *
 * @throws StoreUnavailableError `store_unavailable`, which names the fields that differ
 */
export const checkRoundTrip = async (sql: Sql): Promise<void> => {
  const find = sql.quirks.finder(sql.builder)
  const tokens = samples()
  try {
    await sql.engine.transaction(() => steps(sql, find, tokens))
  } catch (error) {
    if (error instanceof Undone) return refuseDifferences(sql.quirks.dialect, differencesOf(tokens, error.rows))
    if (!CANNOT_WRITE.has(sql.quirks.faultOf(error))) throw error
  }
}
