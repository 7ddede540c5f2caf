import { objectOf } from '../../src/policy/option-reader.js'
import { refuseFurther } from '../../src/policy/refuse-further.js'
import { exactlyOneOf, handle, readStoreOptions, type Sources } from './lib/read-options.js'
import type { TransportWarning } from './lib/transport.js'
import type { MysqlConnection, MysqlPool, MysqlPromisePool } from './sql/dialects/mysql-connection.js'
import type { MysqlSource } from './sql/dialects/mysql-store.js'
import type { KyselyHandle } from './sql/kysely-engine.js'
import { lazyStore, type SqlStore } from './sql/lazy.js'
import { isKysely, mysqlUrl, serverShape } from './sql/options.js'
import { namesOf } from './sql/schema/table-names.js'

export { type MigrationSqlOptions, migrationSql, type SqlDialect } from './sql/schema/migration-sql.js'
export type { KyselyHandle, MysqlConnection, MysqlPool, MysqlPromisePool, SqlStore, TransportWarning }

/** The database: exactly one of `url`, `pool` and `kysely`. */
export type MysqlStoreOptions = {
  /** `mysql://user:password@host:3306/database`, or any other URL that `mysql2` accepts. The store creates its own pool, and closes it. */
  readonly url?: string | undefined
  /** A `mysql2` or `mysql2/promise` pool that the host owns. */
  readonly pool?: MysqlPool | MysqlPromisePool | undefined
  /** A Kysely instance on MySQL that the host owns. */
  readonly kysely?: KyselyHandle | undefined
  /** The maximum number of connections in the pool for `url`. @default 10 */
  readonly poolSize?: number | undefined
  /** The prefix of table names. @default 'latchkey_' */
  readonly tablePrefix?: string | undefined
  /** Called if the connections for `url` can be intercepted or modified in transit. @default `process.emitWarning` */
  readonly onWarning?: ((warning: TransportWarning) => void) | undefined
}

const isPool = (value: object): boolean => 'getConnection' in value || ('pool' in value && typeof value.pool === 'object')

const shape = {
  url: mysqlUrl.optional(),
  pool: handle<MysqlPool | MysqlPromisePool>(isPool, 'must be a mysql2 pool').optional(),
  ...serverShape,
}

const schema = exactlyOneOf(objectOf(shape), ['url', 'pool', 'kysely'])

const sources: Sources = {
  store: 'mysqlStore',
  address: 'url',
  handles: { pool: isPool, kysely: isKysely },
  url: { form: 'mysql://user:password@host:3306/database', tls: 'to use TLS, add ?ssl={"verifyIdentity":true} to the URL' },
  options: shape,
}

/**
 * Keeps tokens in MySQL (8.0.17 or newer) or MariaDB (10.6 or newer), for any number of nodes, which find each other's changes by polling.
 *
 * @throws `invalid_input` for unknown or invalid options
 * @example
 * ```ts
 * const store = mysqlStore({ url: process.env.DATABASE_URL })
 * ```
 */
export const mysqlStore: (options: MysqlStoreOptions) => SqlStore = (options, ...further: readonly unknown[]) => {
  refuseFurther(further, 'must be one object: mysqlStore({ url, … })')
  const { url = '', pool, kysely, poolSize, onWarning, ...rest } = readStoreOptions(sources, schema, options)
  const names = namesOf(rest)
  let source: MysqlSource
  if (pool !== undefined) source = { pool: 'pool' in pool ? pool.pool : pool }
  else if (kysely !== undefined) source = { kysely }
  else source = { url, poolSize, warn: onWarning }
  const { opened, ...store } = lazyStore({
    name: 'mysql',
    tables: rest,
    packages: 'kysely mysql2',
    open: async () => (await import('./sql/dialects/mysql-store.js')).openMysqlStore(source, names),
  })
  return store
}
