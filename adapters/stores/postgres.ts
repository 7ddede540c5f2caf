import { objectOf } from '../../src/policy/option-reader.js'
import { exactlyOneOf, handle, readStoreOptions } from './lib/read-options.js'
import type { TransportWarning } from './lib/transport.js'
import type { PostgresClient, PostgresPool } from './sql/dialects/postgres-connection.js'
import type { PostgresSource } from './sql/dialects/postgres-store.js'
import type { KyselyHandle } from './sql/kysely-engine.js'
import { lazyStore, type SqlStore } from './sql/lazy.js'
import { postgresUrl, serverShape } from './sql/options.js'
import { namesOf, schemaName } from './sql/schema/table-names.js'

export { type MigrationSqlOptions, migrationSql, type SqlDialect } from './sql/schema/migration-sql.js'
export type { KyselyHandle, PostgresClient, PostgresPool, SqlStore, TransportWarning }

/** Where a streaming replica is: exactly one of `url`, `pool` and `kysely`, as for the primary. */
export type PostgresReadOptions = Pick<PostgresStoreOptions, 'url' | 'pool' | 'kysely' | 'poolSize'>

/** Where the database is: exactly one of `url`, `pool` and `kysely`. */
export type PostgresStoreOptions = {
  /** `postgres://user:password@host:5432/database`, or whatever else `pg` takes. The store makes a pool of its own, and closes it. */
  readonly url?: string | undefined
  /** A `Pool` of `pg` that the host keeps. Listening for changes takes a connection beside it, made from its options. */
  readonly pool?: PostgresPool | undefined
  /** A Kysely instance on Postgres that the host keeps. Changes of other nodes are then found by polling. */
  readonly kysely?: KyselyHandle | undefined
  /** How many connections the pool for `url` has at most. @default 10 */
  readonly poolSize?: number | undefined
  /**
   * A streaming replica of the same database, for verifications that miss the cache. It answers them only if it has replayed the change feed as far as this
   * node has read it; otherwise, and for everything else, the primary is read. The bound for revocations stays the same.
   */
  readonly read?: PostgresReadOptions | undefined
  /** The schema of the tables; it must exist. @default the first of the connection's search path */
  readonly schema?: string | undefined
  /** The prefix of table names. @default 'latchkey_' */
  readonly tablePrefix?: string | undefined
  /** Told where the connections for `url` can be read or changed on their way. @default `process.emitWarning` */
  readonly onWarning?: ((warning: TransportWarning) => void) | undefined
}

const sourceShape = {
  url: postgresUrl.optional(),
  pool: handle<PostgresPool>((value) => 'connect' in value, 'must be a Pool of pg').optional(),
  kysely: serverShape.kysely,
  poolSize: serverShape.poolSize,
}

const SOURCES = ['url', 'pool', 'kysely'] as const

const schema = exactlyOneOf(
  objectOf({
    ...serverShape,
    ...sourceShape,
    read: exactlyOneOf(objectOf(sourceShape), SOURCES).optional(),
    schema: schemaName.optional(),
  }),
  SOURCES,
)

type Given = { readonly url?: string | undefined; readonly pool?: PostgresPool | undefined; readonly kysely?: KyselyHandle | undefined }

const sourceOf = ({ url = '', pool, kysely }: Given, poolSize: number, warn: (warning: TransportWarning) => void): PostgresSource => {
  if (pool !== undefined) return { pool }
  return kysely === undefined ? { url, poolSize, warn } : { kysely }
}

/**
 * Keeps tokens in Postgres (12 or newer), for any number of nodes.
 *
 * A change is announced by NOTIFY in its own transaction, so that other nodes know within milliseconds.
 *
 * @throws `invalid_input` for unknown or unsound options
 * @example
 * ```ts
 * const store = postgresStore({ url: process.env.DATABASE_URL })
 * ```
 */
export const postgresStore = (options: PostgresStoreOptions): SqlStore => {
  const { url, pool, kysely, read, poolSize, onWarning, ...rest } = readStoreOptions('postgresStore', 'pool', schema, options)
  const names = namesOf(rest)
  const source = sourceOf({ url, pool, kysely }, poolSize, onWarning)
  const replica = read && sourceOf(read, read.poolSize, onWarning)
  const { opened, ...store } = lazyStore({
    name: 'postgres',
    tables: rest,
    packages: 'kysely pg',
    open: async () => (await import('./sql/dialects/postgres-store.js')).openPostgresStore(source, names, replica),
  })
  if (kysely !== undefined) return store
  return {
    ...store,
    async subscribe(wake, lost) {
      const { store: inner } = await opened()
      return (await inner.subscribe?.(wake, lost)) ?? (() => {})
    },
  }
}
