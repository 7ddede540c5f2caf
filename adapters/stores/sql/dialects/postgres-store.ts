import { Kysely, type PostgresPool as KyselyPool, PostgresDialect } from 'kysely'
import { exported, loadFailure } from '../../lib/package.js'
import { type TransportWarning, tellOnce, transportOf } from '../../lib/transport.js'
import { driveAsync } from '../engine.js'
import { unavailable } from '../faults.js'
import { type KyselyEngineOptions, type KyselyHandle, kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import { patiently, promptly } from '../retry.js'
import type { Names } from '../schema/table-names.js'
import { openStore } from '../store.js'
import { checkValues, leasesOf, type PostgresLease, type PostgresPool, type PostgresResult } from './postgres-connection.js'
import { postgresHost } from './postgres-host.js'
import { type ListenClient, listen } from './postgres-listen.js'
import { channelOf, postgresQuirks, statementName } from './postgres-quirks.js'

type PostgresUrl = { readonly url: string; readonly poolSize: number; readonly warn: (warning: TransportWarning) => void }

/** The source to open. */
export type PostgresSource = PostgresUrl | { readonly pool: PostgresPool } | { readonly kysely: KyselyHandle }

type OwnPool = PostgresPool & { end(): Promise<void>; on(event: 'error', listener: () => void): unknown }
type Driver = {
  readonly Pool: new (config: { readonly [option: string]: unknown }) => OwnPool
  readonly Client: new (config: { readonly [option: string]: unknown }) => ListenClient
}

/** Where a cable is cut nobody is told: what got no answer for so long frees its connection. Upgrades and bulk revocations take a while. */
const TIMEOUT_MS = 90_000
const READ_TIMEOUT_MS = 5_000
/** Also how long a call waits for a connection of the pool to become free; latchkey's own deadline comes first for the caller. */
const CONNECT_TIMEOUT_MS = 10_000

const report = (error: unknown): Error => unavailable('postgres', postgresQuirks.faultOf, error)

/** The pool as Kysely wants it. A connection on which something went wrong is thrown away, instead of being handed to the next. */
const forKysely = (lease: () => Promise<PostgresLease>): KyselyPool => ({
  async connect() {
    const { query, release } = await lease()
    const ask = (text: string, values: readonly unknown[]): Promise<PostgresResult> => query({ text, values })
    return { query: ask, release } as unknown as Awaited<ReturnType<KyselyPool['connect']>>
  },
  end: async () => {},
})

/**
 * Statements by name are planned once a connection. A pooler in between may not know the name: then they go without.
 *
 * A pooler may also hand out a connection on which another process prepared a statement by this name: so a name follows from its text, and
 * one name never stands for two texts.
 */
const findThrough = (lease: () => Promise<PostgresLease>): NonNullable<KyselyEngineOptions['find']> => {
  let named = true
  const statements = new Map<string, string>()
  return async (query) => {
    let name = statements.get(query.sql)
    if (name === undefined) {
      name = statementName(query.sql)
      statements.set(query.sql, name)
    }
    const config = { text: query.sql, values: query.parameters, query_timeout: READ_TIMEOUT_MS }
    const ask = async (): Promise<PostgresResult> => {
      const held = await lease()
      try {
        return await held.query(named ? { name, ...config } : config)
      } finally {
        held.release()
      }
    }
    const reasked = async (): Promise<PostgresResult> => {
      try {
        return await ask()
      } catch (error) {
        const { code } = error as { readonly code?: unknown }
        // invalid_sql_statement_name, duplicate_prepared_statement
        if (code === '26000' || code === '42P05') named = false
        // A plan from before an upgrade of the schema.
        else if (code !== '0A000') throw error
        return await ask()
      }
    }
    return (await promptly(postgresQuirks.faultOf, reasked)).rows
  }
}

const over = (lease: () => Promise<PostgresLease>, names: Names, options: KyselyEngineOptions): Opened => {
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: forKysely(lease) }) })
  const find = findThrough(lease)
  return {
    store: openStore(kyselyEngine(kysely, postgresQuirks, names, { find, ...options }), postgresQuirks, names, postgresHost),
    unavailable: report,
  }
}

const listener =
  (lease: () => Promise<PostgresLease>, names: Names, newClient: () => ListenClient): NonNullable<KyselyEngineOptions['subscribe']> =>
  (wake, lost) => {
    const send = async (text: string): Promise<void> => {
      const held = await lease()
      try {
        await held.query({ text: 'select pg_notify($1, $2)', values: [channelOf(names), text] })
      } finally {
        held.release()
      }
    }
    return listen(channelOf(names), { wake, lost }, newClient, send)
  }

const loadDriver = async (): Promise<Driver> => {
  try {
    return exported(await import('pg')) as Driver
  } catch (error) {
    throw loadFailure('postgres', 'kysely pg', error) ?? report(error)
  }
}

const openUrl = async ({ url, poolSize, warn }: PostgresUrl, names: Names): Promise<Opened> => {
  const { Pool, Client } = await loadDriver()
  const config = { connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, application_name: 'latchkey' }
  const pool = new Pool({ ...config, max: poolSize, query_timeout: TIMEOUT_MS, idleTimeoutMillis: 30_000, allowExitOnIdle: true })
  // An idle connection that the server closes is told here, and replaced at the next call.
  pool.on('error', () => {})
  const tell = tellOnce('postgres', warn)
  const lease = leasesOf(pool, (client) => tell(transportOf(Object(Reflect.get(client, 'connection')).stream)))
  return over(lease, names, { close: () => pool.end(), subscribe: listener(lease, names, () => new Client(config)) })
}

const overHostPool = (pool: PostgresPool, names: Names): Opened => {
  const { Client, options } = pool as PostgresPool & { readonly Client?: new (options: unknown) => ListenClient }
  // Not one of the pool's connections: it may have few, and the host may end it while latchkey listens.
  const lease = leasesOf(pool)
  if (typeof Client !== 'function') return over(lease, names, {})
  return over(lease, names, { subscribe: listener(lease, names, () => new Client(options)) })
}

const overKysely = async (kysely: KyselyHandle, names: Names): Promise<Opened> => {
  try {
    await patiently(postgresQuirks.faultOf, () => driveAsync(checkValues(), (query) => kysely.withoutPlugins().executeQuery(query)))
  } catch (error) {
    throw report(error)
  }
  return { store: openStore(kyselyEngine(kysely, postgresQuirks, names, {}), postgresQuirks, names, postgresHost), unavailable: report }
}

/** Opens the store: the part that needs Kysely and `pg`. */
export const openPostgresStore = async (source: PostgresSource, names: Names): Promise<Opened> => {
  if ('url' in source) return openUrl(source, names)
  if ('pool' in source) return overHostPool(source.pool, names)
  return overKysely(source.kysely, names)
}
