import { CompiledQuery, DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from 'kysely'
import { isErrorLike } from '../../../../src/errors.js'
import { KNOWN } from '../known-values.js'
import { bumpReturning } from '../queries/bump.js'
import type { Builder, Fault, Quirks } from '../quirks.js'
import { namesPlugin } from '../schema/names-plugin.js'
import type { Tables } from '../schema/schema.js'
import { sqliteMigrations } from '../schema/sqlite-migrations.js'
import type { Names } from '../schema/table-names.js'
import { TOKEN_COLUMNS } from '../schema/token-columns.js'
import { diagnoseSqlite } from './sqlite-diagnose.js'

const codes: readonly (readonly [RegExp, Fault])[] = [
  [/SQLITE_CONSTRAINT/, 'duplicate'],
  [/SQLITE_(BUSY|LOCKED)/, 'contention'],
  [/SQLITE_READONLY/, 'read_only'],
  [/SQLITE_FULL/, 'full'],
  [/SQLITE_(CORRUPT|NOTADB)/, 'damaged'],
  [/SQLITE_(CANTOPEN|IOERR)/, 'connection'],
  [/SQLITE_(PERM|AUTH)/, 'permission'],
]

// https://www.sqlite.org/rescode.html: node:sqlite reports numbers whose low byte is the primary code.
const numbers: ReadonlyMap<number, Fault> = new Map([
  [3, 'permission'],
  [5, 'contention'],
  [6, 'contention'],
  [8, 'read_only'],
  [10, 'connection'],
  [11, 'damaged'],
  [13, 'full'],
  [14, 'connection'],
  [19, 'duplicate'],
  [26, 'damaged'],
])

/** The message for a file that stayed locked. */
export const LOCKED = 'the file was locked by another process'

/** The message if the host's transaction stayed open. */
export const HELD = 'a transaction that your code began on the database of the store was open'

/** Returns whether the host has a transaction open on the handle that it passed. Callers wait until it ends. */
export const isWithin = (error: unknown): boolean => isErrorLike(error) && error.message.includes('within a transaction')

const faultOf = (error: unknown): Fault => {
  if (!isErrorLike(error)) return 'unknown'
  const { code, errcode, message } = error as Error & { code?: unknown; errcode?: unknown }
  if (/no such (table|column)/.test(message)) return 'tables_missing'
  if (message.includes('FOREIGN KEY constraint failed')) return 'referenced'
  if (isWithin(error)) return 'contention'
  if (message.includes(LOCKED) || message.includes(HELD)) return 'locked'
  if (/database (connection )?is not open|connection is closed/.test(message)) return 'closed'
  if (typeof errcode === 'number') return numbers.get(errcode & 0xff) ?? 'unknown'
  if (typeof code === 'string') return codes.find(([pattern]) => pattern.test(code))?.[1] ?? 'unknown'
  return 'unknown'
}

/** Returns whether another transaction blocked this one, so a retry can succeed. https://www.sqlite.org/rescode.html#busy */
export const isBusy = (error: unknown): boolean => faultOf(error) === 'contention'

/** Returns the known values. */
export const KNOWN_VALUES: CompiledQuery = CompiledQuery.raw(
  'select cast(? as integer) as known_int, ? as known_text, ? as known_json, ? as known_empty, ? as known_null',
  [KNOWN.int, KNOWN.text, KNOWN.json, KNOWN.empty, null],
)

const searchTable = ({ tablePrefix }: Names): string => `"${tablePrefix}tokens_search"`

/** Quotes a text as an FTS5 string, in which everything is literal (https://www.sqlite.org/fts5.html#fts5_strings). */
const phrase = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** SQLite: one file, one writer at a time. */
export const sqliteQuirks: Quirks = {
  dialect: 'sqlite',
  builder: (names): Builder =>
    new Kysely<Tables>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new SqliteIntrospector(db),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
      plugins: [namesPlugin(names)],
    }),
  bump: bumpReturning,
  finder(builder) {
    const select = builder.selectFrom('tokens').select([...TOKEN_COLUMNS])
    const one = select.where('id', '=', '').compile()
    const many = select.where('id', 'in', sql<string>`(select value from json_each(${''}))`).compile()
    return (ids) => (ids.length === 1 ? { ...one, parameters: ids } : { ...many, parameters: [JSON.stringify(ids)] })
  },
  // Not LIKE: its patterns are limited to 50,000 bytes, and the host may have changed its case sensitivity.
  nameContains: (folded) => sql`instr(${sql.ref('tokens.name_folded')}, ${folded}) > 0`,
  nameIndex: {
    count(names, folded, most) {
      const search = searchTable(names)
      const text = `select count(*) as found from (select rowid from ${search} where ${search} match ? limit ?)`
      return CompiledQuery.raw(text, [phrase(folded), most]) as CompiledQuery<{ readonly found: number }>
    },
    condition(names, folded) {
      const search = sql.raw<string>(searchTable(names))
      return sql`${sql.ref('tokens.row_id')} in (select rowid from ${search} where ${search} match ${phrase(folded)})`
    },
  },
  // The condition keeps the parser from reading the ON of `on conflict` as a join constraint.
  fromJson: (columns) =>
    `select ${Object.keys(columns)
      .map((column) => `value ->> '${column}'`)
      .join(', ')} from json_each(?) where true`,
  // libsql returns a string only up to its first NUL, whereas conditions compare all of it.
  isCut: (column) => `coalesce(instr("${column}", char(0)), 0) > 0`,
  placeholder: () => '?',
  incoming: (column) => `excluded.${column}`,
  onClash: (keys, assignments) => `on conflict (${keys.join(', ')}) do update set ${assignments}`,
  seconds: "cast(strftime('%s', 'now') as integer)",
  begin: ['begin immediate'],
  migrationLock: () => ({ transactional: true }),
  faultOf,
  table: (names, table) => `"${names.tablePrefix}${table}"`,
  migrations: sqliteMigrations,
  diagnose: diagnoseSqlite,
}
