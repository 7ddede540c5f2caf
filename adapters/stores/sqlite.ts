import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidInputError } from '../../src/errors.js'
import type { Duration } from '../../src/model/record.js'
import { duration } from '../../src/policy/option-kinds.js'
import { objectOf, oneOf, readBy } from '../../src/policy/option-reader.js'
import { refuseFurther } from '../../src/policy/refuse-further.js'
import { noteFileOf } from '../../src/store/store-file.js'
import { exactlyOneOf, handle, readStoreOptions, type Sources } from './lib/read-options.js'
import type { NodeDatabase, SyncDatabase } from './sql/dialects/sqlite-handle.js'
import type { SqliteDriver } from './sql/dialects/sqlite-open.js'
import type { KyselyHandle } from './sql/kysely-engine.js'
import { type Lazy, lazyStore, type SqlStore } from './sql/lazy.js'
import { namesOf, tablePrefix } from './sql/schema/table-names.js'

export { type MigrationSqlOptions, migrationSql, type SqlDialect } from './sql/schema/migration-sql.js'
export type { KyselyHandle, NodeDatabase, SqliteDriver, SqlStore, SyncDatabase }

/** A file that the store opens, or an open database that the host owns. */
export type SqliteStoreOptions = {
  /** The file or its `file:` URL, or `:memory:`. The folder of the file must exist. A relative path is resolved against the current folder of the process. */
  readonly path?: string | undefined
  /** A `DatabaseSync` of `node:sqlite`, a `Database` of `better-sqlite3` or `libsql`, or a Kysely instance. Never closed by the store. */
  readonly database?: SyncDatabase | NodeDatabase | KyselyHandle | undefined
  /** The driver that opens `path`. @default the first one available: `node:sqlite`, `libsql`, `better-sqlite3` */
  readonly driver?: SqliteDriver | undefined
  /** The prefix of table names. @default 'latchkey_' */
  readonly tablePrefix?: string | undefined
  /** How long to wait for a lock that another process holds on the file. @default 1.5 */
  readonly busyTimeout?: Duration | undefined
}

/** Few rows per batch, so that the event loop is free again every few milliseconds. */
const USAGE_ROWS = 75

const DRIVERS = ['node:sqlite', 'libsql', 'better-sqlite3'] as const
const isDatabase = (value: object): boolean => 'prepare' in value || 'executeQuery' in value

/**
 * Keeps tokens in a SQLite file: durable, shared by any number of processes on one machine, with no server to run.
 *
 * A path is opened at the first call, with `node:sqlite` if Node has it (22.13 and newer), otherwise with `libsql` or `better-sqlite3`. The database
 * is in WAL mode, each commit is synced to disk, and only the file's owner can read it.
 *
 * @throws `invalid_input` for unknown or invalid options
 * @example
 * ```ts
 * const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore('tokens.db'), scopes: { 'inventory:read': 'See stock' } })
 * ```
 */
export const sqliteStore: (input: string | SqliteStoreOptions) => SqlStore = (input, ...further: readonly unknown[]) => {
  refuseFurther(further, 'must be one object: sqliteStore({ path, … })')
  const options = typeof input === 'string' ? { path: input } : input
  const { path = '', database, driver, busyTimeout, ...rest } = readStoreOptions(sources, schema, options)
  const names = namesOf(rest)
  const source = database !== undefined ? { database } : { path, ...(driver !== undefined && { driver }) }
  const lazy: Lazy = {
    name: 'sqlite',
    tables: rest,
    packages: 'kysely libsql',
    open: async () => (await import('./sql/dialects/sqlite-store.js')).openSqliteStore(source, names, busyTimeout * 1000),
  }
  const { opened, ...calls } = lazyStore(lazy)
  const store = { ...calls, usageRows: USAGE_ROWS }
  if (database === undefined && path !== MEMORY) noteFileOf(store, path)
  return store
}

const MEMORY = ':memory:'

/**
 * Reads the path of a file, or its `file:` URL: `file:tokens.db`, `file:///var/lib/app/tokens.db`. Resolved now, because the current folder may change later.
 */
const readPath = (path: unknown): string => {
  const file = readFile(path)
  return file === MEMORY ? file : resolve(file)
}

const readFile = (path: unknown): string => {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw new InvalidInputError([], 'must be the path of a file')
  // This is most likely the URL of another store and contains a password, so it is not repeated.
  if (/^(?!file:)[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    throw new InvalidInputError([], 'must be the path of a file, or file: followed by a path, not the URL of a server')
  }
  if (!/^file:/i.test(path)) return path
  if (/[?#]/.test(path)) throw new InvalidInputError([], 'must have no parameters after file: and the path')
  try {
    const file = path.startsWith('file://') ? fileURLToPath(path) : decodeURIComponent(path.slice('file:'.length))
    if (file !== '' && !file.includes('\0')) return file
  } catch {
    // Reported below.
  }
  throw new InvalidInputError([], 'must be file: followed by the path of a file on this machine')
}

const shape = {
  path: readBy(readPath).optional(),
  database: handle<SyncDatabase | NodeDatabase | KyselyHandle>(
    isDatabase,
    'must be a database of node:sqlite, better-sqlite3 or libsql, or a Kysely instance',
  ).optional(),
  driver: oneOf(DRIVERS, `must be one of ${DRIVERS.join(', ')}`).optional(),
  tablePrefix: tablePrefix.optional(),
  busyTimeout: duration({ min: 0, max: 60, fraction: true }).default(1.5),
}

const schema = exactlyOneOf(objectOf(shape), ['path', 'database'])

const sources: Sources = { store: 'sqliteStore', address: 'path', handles: { database: isDatabase }, options: shape }
