import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { createPool } from 'mysql2'
import { createConnection } from 'mysql2/promise'
import { Client, Pool } from 'pg'
import type { TokenStore } from '../../../src/store/port.js'
import { service } from '../../support/services.js'
import { type OwnPlace, ownDatabase, ownSchema } from './databases.js'

/** A connection of the host to the same database. */
export type Connection = { query(text: string): Promise<unknown>; end(): Promise<void> }

/** A SQL server that accepts concurrent writers. */
export type Server = {
  readonly name: string
  readonly skip: string | undefined
  place(): Promise<OwnPlace>
  open(place: OwnPlace): TokenStore
  /** Opens a store on a pool of the host, which records the text of each statement. */
  openWatched(place: OwnPlace, statements: string[]): { readonly store: TokenStore; close(): Promise<void> }
  connect(place: OwnPlace): Promise<Connection>
  /** Counts the transactions that wait for a lock of another transaction. MariaDB repeats its last answer if it is asked more than ten times a second. */
  readonly waiting: (place: OwnPlace) => string
}

const [postgres, mysql] = await Promise.all([service('postgres'), service('mysql')])

/** Records the text of each statement that this connection runs. */
const watch = (connection: { query: unknown; execute?: unknown }, statements: string[]): void => {
  for (const name of ['query', 'execute'] as const) {
    const run = connection[name]
    if (typeof run !== 'function') continue
    connection[name] = (...args: readonly unknown[]) => {
      const [first] = args
      statements.push(typeof first === 'string' ? first : String(Reflect.get(Object(first), 'sql') ?? Reflect.get(Object(first), 'text')))
      return run.apply(connection, args)
    }
  }
}

/** Postgres, for tests with concurrent writers. */
export const onPostgres: Server = {
  name: 'Postgres',
  skip: postgres.skip,
  place: () => ownSchema(postgres.url ?? ''),
  open: ({ url, schema }) => postgresStore({ url, schema }),
  openWatched({ url, schema }, statements) {
    const pool = new Pool({ connectionString: url })
    pool.on('connect', (client) => watch(client, statements))
    return { store: postgresStore({ pool, schema }), close: () => pool.end() }
  },
  async connect({ url, schema }) {
    const client = new Client({ connectionString: url, options: `-c search_path=${schema}` })
    await client.connect()
    return client
  },
  waiting: ({ schema }) =>
    `select count(distinct pid) as n from pg_locks join pg_class on pg_class.oid = relation
      join pg_namespace on pg_namespace.oid = relnamespace where nspname = '${schema}'
      and pid in (select pid from pg_stat_activity where wait_event_type = 'Lock')`,
}

/** MySQL or MariaDB, for tests with concurrent writers. */
export const onMysql: Server = {
  name: 'MySQL',
  skip: mysql.skip,
  place: () => ownDatabase(mysql.url ?? ''),
  open: ({ url }) => mysqlStore({ url }),
  openWatched({ url }, statements) {
    const pool = createPool({ uri: url })
    pool.on('connection', (connection) => watch(connection, statements))
    return { store: mysqlStore({ pool }), close: () => pool.promise().end() }
  },
  connect: ({ url }) => createConnection({ uri: url }),
  waiting: ({ schema }) =>
    `select count(*) as n from information_schema.innodb_trx join information_schema.processlist on id = trx_mysql_thread_id
      where db = '${schema}' and trx_state = 'LOCK WAIT'`,
}

/** The SQL servers that accept concurrent writers. */
export const servers: readonly Server[] = [onPostgres, onMysql]
