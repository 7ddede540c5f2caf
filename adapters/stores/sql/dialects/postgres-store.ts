import { Kysely, type PostgresPool as KyselyPool, PostgresDialect } from 'kysely'
import { exported, loadFailure } from '../../lib/package.js'
import { unavailable } from '../faults.js'
import { type KyselyEngineOptions, type KyselyHandle, kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import type { Names } from '../schema/table-names.js'
import { openStore } from '../store.js'
import { type ListenClient, type ListenConnection, listen } from './postgres-listen.js'
import { channelOf, postgresQuirks } from './postgres-quirks.js'

/** A client that a pool of `pg` hands out. */
export type PostgresClient = ListenClient & {
  query(text: string, values?: never[]): Promise<unknown>
  removeListener(event: 'error', listener: () => void): unknown
  release(destroy?: boolean | Error): void
}

/** The part of a pool of `pg` that is used. */
export type PostgresPool = {
  connect(): Promise<PostgresClient>
  query(config: {
    readonly name?: string
    readonly text: string
    readonly values: readonly unknown[]
  }): Promise<{ readonly rows: unknown[] }>
  readonly options?: { readonly max?: number | undefined }
}

/** What to open. */
export type PostgresSource =
  | { readonly url: string; readonly poolSize: number }
  | { readonly pool: PostgresPool }
  | { readonly kysely: KyselyHandle }

type OwnPool = PostgresPool & { end(): Promise<void>; on(event: 'error', listener: () => void): unknown }
type OwnClient = ListenClient & { connect(): Promise<unknown>; end(): Promise<void> }
type Driver = {
  readonly Pool: new (config: { readonly [option: string]: unknown }) => OwnPool
  readonly Client: new (config: { readonly [option: string]: unknown }) => OwnClient
}

/** Where a cable is cut nobody is told: what got no answer for so long frees its connection. Upgrades and bulk revocations take a while. */
const TIMEOUT_MS = 90_000
const READ_TIMEOUT_MS = 5_000
/** Also how long a call waits for a connection of the pool to become free; latchkey's own deadline comes first for the caller. */
const CONNECT_TIMEOUT_MS = 10_000

const report = (error: unknown): Error => unavailable('postgres', postgresQuirks.faultOf, error)

/** A pool for Kysely that throws a connection away when something went wrong on it, instead of handing it to the next. */
const careful = (pool: PostgresPool): KyselyPool => ({
  async connect() {
    const client = await pool.connect()
    let broken = false
    // Between two statements nobody else listens, and an error event without a listener ends the process.
    const lost = (): void => {
      broken = true
    }
    client.on('error', lost)
    const query = async (...parameters: never[]): Promise<unknown> => {
      try {
        return await Reflect.apply(client.query, client, parameters)
      } catch (error) {
        if (postgresQuirks.faultOf(error) === 'connection') broken = true
        throw error
      }
    }
    const release = (): void => {
      client.removeListener('error', lost)
      client.release(broken)
    }
    return { query, release } as unknown as Awaited<ReturnType<KyselyPool['connect']>>
  },
  end: async () => {},
})

/** Statements by name are planned once a connection. A pooler in between may not know the name: then they go without. */
const findThrough = (pool: PostgresPool, prefix: string): NonNullable<KyselyEngineOptions['find']> => {
  let named = true
  const statements = new Map<string, string>()
  return async (query) => {
    let name = statements.get(query.sql)
    if (name === undefined) {
      name = `${prefix}${statements.size + 1}`
      statements.set(query.sql, name)
    }
    const config = { text: query.sql, values: query.parameters, query_timeout: READ_TIMEOUT_MS }
    const ask = (): Promise<{ readonly rows: unknown[] }> => pool.query(named ? { name, ...config } : config)
    try {
      return (await ask()).rows
    } catch (error) {
      const { code } = error as { readonly code?: unknown }
      // invalid_sql_statement_name, duplicate_prepared_statement
      if (code === '26000' || code === '42P05') named = false
      else if (code !== '0A000' && postgresQuirks.faultOf(error) !== 'connection') throw error
      // A connection that died while it was idle, or a plan from before an upgrade of the schema: one more try.
      return (await ask()).rows
    }
  }
}

const over = (pool: PostgresPool, names: Names, options: KyselyEngineOptions): Opened => {
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: careful(pool) }) })
  const find = findThrough(pool, `${names.schema ?? ''}.${names.tablePrefix}find`.slice(-62))
  return { store: openStore(kyselyEngine(kysely, postgresQuirks, names, { find, ...options }), postgresQuirks, names), unavailable: report }
}

const listener =
  (names: Names, connect: () => Promise<ListenConnection>): NonNullable<KyselyEngineOptions['subscribe']> =>
  (wake) =>
    listen(channelOf(names), wake, connect)

const loadDriver = async (): Promise<Driver> => {
  try {
    return exported(await import('pg')) as Driver
  } catch (error) {
    throw loadFailure('postgres', 'kysely pg', error) ?? report(error)
  }
}

const openUrl = async (url: string, poolSize: number, names: Names): Promise<Opened> => {
  const { Pool, Client } = await loadDriver()
  const config = { connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, application_name: 'latchkey' }
  const pool = new Pool({ ...config, max: poolSize, query_timeout: TIMEOUT_MS, idleTimeoutMillis: 30_000 })
  // An idle connection that the server closes is told here, and replaced at the next call.
  pool.on('error', () => {})
  return over(pool, names, {
    close: () => pool.end(),
    subscribe: listener(names, async () => {
      const client = new Client(config)
      client.on('error', () => {})
      await client.connect()
      return { client, end: () => client.end() }
    }),
  })
}

const overHostPool = (pool: PostgresPool, names: Names): Opened => {
  // With a single connection there is none to spare for listening: the follower polls.
  if (pool.options?.max === 1) return over(pool, names, {})
  return over(pool, names, {
    subscribe: listener(names, async () => {
      const client = await pool.connect()
      return { client, end: () => client.release(true) }
    }),
  })
}

/** Opens the store: the part that needs Kysely and `pg`. */
export const openPostgresStore = async (source: PostgresSource, names: Names): Promise<Opened> => {
  if ('url' in source) return openUrl(source.url, source.poolSize, names)
  if ('pool' in source) return overHostPool(source.pool, names)
  return { store: openStore(kyselyEngine(source.kysely, postgresQuirks, names, {}), postgresQuirks, names), unavailable: report }
}
