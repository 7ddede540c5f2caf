import { objectOf } from '../../src/policy/option-reader.js'
import { refuseFurther } from '../../src/policy/refuse-further.js'
import { exactlyOneOf, handle, readStoreOptions, type Sources } from './lib/read-options.js'
import type { TransportWarning } from './lib/transport.js'
import type { PostgresClient, PostgresPool } from './sql/dialects/postgres-connection.js'
import type { PostgresSource } from './sql/dialects/postgres-store.js'
import type { KyselyHandle } from './sql/kysely-engine.js'
import { lazyStore, type SqlStore } from './sql/lazy.js'
import { isKysely, postgresUrl, serverShape } from './sql/options.js'
import { namesOf, schemaName } from './sql/schema/table-names.js'

export { type MigrationSqlOptions, migrationSql, type SqlDialect } from './sql/schema/migration-sql.js'
export type { KyselyHandle, PostgresClient, PostgresPool, SqlStore, TransportWarning }

/** A streaming replica: exactly one of `url`, `pool` and `kysely`, as for the primary. */
export type PostgresReadOptions = Pick<PostgresStoreOptions, 'url' | 'pool' | 'kysely' | 'poolSize'>

/** The database: exactly one of `url`, `pool` and `kysely`. */
export type PostgresStoreOptions = {
  /** `postgres://user:password@host:5432/database`, or any other URL that `pg` accepts. The store creates its own pool, and closes it. */
  readonly url?: string | undefined
  /** A `pg` `Pool` that the host owns. Listening for changes takes one additional connection, created from the pool's options. */
  readonly pool?: PostgresPool | undefined
  /** A Kysely instance on Postgres that the host owns. Changes made by other nodes are then found by polling. */
  readonly kysely?: KyselyHandle | undefined
  /** The maximum number of connections in the pool for `url`. @default 10 */
  readonly poolSize?: number | undefined
  /**
   * A streaming replica of the same database, for verifications that miss the cache. It is used only if it has replayed the change feed as far as
   * this node has read it; otherwise, and for everything else, the primary is read. The revocation bound stays the same.
   */
  readonly read?: PostgresReadOptions | undefined
  /** The schema of the tables; it must exist. @default the first one in the connection's search path */
  readonly schema?: string | undefined
  /** The prefix of table names. @default 'latchkey_' */
  readonly tablePrefix?: string | undefined
  /** Called if the connections for `url` can be intercepted or modified in transit. @default `process.emitWarning` */
  readonly onWarning?: ((warning: TransportWarning) => void) | undefined
}

const isPool = (value: object): boolean => 'connect' in value
// A client has one connection, and connects only once.
const isClient = (value: object): boolean => 'connectionParameters' in value

const sourceShape = {
  url: postgresUrl.optional(),
  pool: handle<PostgresPool>(isPool, 'must be a pg Pool')
    .and((pool) => !isClient(pool), 'must be a pg Pool, not a Client')
    .optional(),
  kysely: serverShape.kysely,
  poolSize: serverShape.poolSize,
}

const SOURCES = ['url', 'pool', 'kysely'] as const

const shape = {
  ...serverShape,
  ...sourceShape,
  read: exactlyOneOf(objectOf(sourceShape), SOURCES).optional(),
  schema: schemaName.optional(),
}

const schema = exactlyOneOf(objectOf(shape), SOURCES)

const sources: Sources = {
  store: 'postgresStore',
  address: 'url',
  handles: { pool: isPool, kysely: isKysely },
  url: { form: 'postgres://user:password@host:5432/database', tls: 'to use TLS, add ?sslmode=verify-full to the URL' },
  options: shape,
}

type Given = { readonly url?: string | undefined; readonly pool?: PostgresPool | undefined; readonly kysely?: KyselyHandle | undefined }

const sourceOf = ({ url = '', pool, kysely }: Given, poolSize: number, warn: (warning: TransportWarning) => void): PostgresSource => {
  if (pool !== undefined) return { pool }
  return kysely === undefined ? { url, poolSize, warn } : { kysely }
}

/**
 * Keeps tokens in Postgres (12 or newer), for any number of nodes.
 *
 * Each change is announced by NOTIFY within its transaction, so other nodes learn of it within milliseconds.
 *
 * @throws `invalid_input` for unknown or invalid options
 * @example
 * ```ts
 * const store = postgresStore({ url: process.env.DATABASE_URL })
 * ```
 */
export const postgresStore: (options: PostgresStoreOptions) => SqlStore = (options, ...further: readonly unknown[]) => {
  refuseFurther(further, 'must be one object: postgresStore({ url, … })')
  const { url, pool, kysely, read, poolSize, onWarning, ...rest } = readStoreOptions(sources, schema, options)
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
