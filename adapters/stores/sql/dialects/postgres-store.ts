import { Kysely, type PostgresPool as KyselyPool, PostgresDialect } from 'kysely'
import { exported, loadFailure } from '../../lib/package.js'
import { type Transport, type TransportWarning, tellOnce, transportOf } from '../../lib/transport.js'
import { type Sql, sqlOf } from '../context.js'
import { driveAsync, type Engine } from '../engine.js'
import { unavailable } from '../faults.js'
import type { Shares } from '../in-turn.js'
import { type KyselyEngineOptions, type KyselyHandle, kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import { identityOf } from '../queries/identity.js'
import { Lineage } from '../queries/lineage.js'
import { patiently } from '../retry.js'
import type { Names } from '../schema/table-names.js'
import { BRIEF_MS } from '../silence.js'
import { openStore } from '../store.js'
import {
  type Access,
  checkValues,
  cut,
  leasesOf,
  type PostgresClient,
  type PostgresLease,
  type PostgresPool,
  type PostgresResult,
} from './postgres-connection.js'
import { findThrough } from './postgres-find.js'
import { postgresHost } from './postgres-host.js'
import { type ListenClient, listen } from './postgres-listen.js'
import { BEGIN_BOUNDED, channelOf, postgresQuirks } from './postgres-quirks.js'
import { Replica, type ReplicaAsk, readThrough } from './postgres-replica.js'

type PostgresUrl = { readonly url: string; readonly poolSize: number; readonly warn: (warning: TransportWarning) => void }

/** The source to open. */
export type PostgresSource = PostgresUrl | { readonly pool: PostgresPool } | { readonly kysely: KyselyHandle }

type OwnPool = PostgresPool & { end(): Promise<void>; on(event: 'error', listener: () => void): unknown }
type Driver = {
  readonly Pool: new (config: { readonly [option: string]: unknown }) => OwnPool
  readonly Client: new (config: { readonly [option: string]: unknown }) => ListenClient
}

const CONNECT_TIMEOUT_MS = 5_000
/** How long the server may take to close connections on shutdown, in milliseconds. After that, they are cut off. */
const GOODBYE_MS = 500

const report = (error: unknown): Error => unavailable('postgres', postgresQuirks.faultOf, error)

/** Returns the pool in the form that Kysely expects. A broken connection is discarded instead of being reused. */
const kyselyOver = (lease: () => Promise<PostgresLease>, limitMs?: number): KyselyHandle => {
  const pool: KyselyPool = {
    async connect() {
      const { query, release } = await lease()
      const ask = (text: string, values: readonly unknown[]): Promise<PostgresResult> => query({ text, values }, limitMs)
      return { query: ask, release: () => release() } as unknown as Awaited<ReturnType<KyselyPool['connect']>>
    },
    end: async () => {},
  }
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
}

type OpenedPostgres = Opened & { identity(): Promise<string | undefined> }

const openedOver = (engine: Engine, names: Names, lineage: Lineage): OpenedPostgres => {
  const sql: Sql = { ...sqlOf(engine, postgresQuirks, names), lineage }
  return { store: openStore(sql, postgresHost), unavailable: report, identity: () => identityOf(sql) }
}

type Leases = Shares<PostgresLease>
type Tables = { readonly names: Names; readonly lineage: Lineage }

const over = ({ any, feed, others, reads }: Leases, { names, lineage }: Tables, options: KyselyEngineOptions): OpenedPostgres => {
  const ways = { find: findThrough(any), feed: kyselyOver(feed, BRIEF_MS), reads: kyselyOver(reads), begin: [BEGIN_BOUNDED] }
  return openedOver(kyselyEngine(kyselyOver(others), postgresQuirks, names, { ...ways, ...options }), names, lineage)
}

const listener =
  ({ feed }: Leases, names: Names, newClient: () => ListenClient): NonNullable<KyselyEngineOptions['subscribe']> =>
  (wake, lost) => {
    const send = async (text: string): Promise<void> => {
      const held = await feed()
      try {
        await held.query({ text: 'select pg_notify($1, $2)', values: [channelOf(names), text] }, BRIEF_MS)
      } finally {
        held.release()
      }
    }
    return listen(channelOf(names), { wake, lost }, newClient, send)
  }

/** If a connection string asks for less than `verify-full`, this driver sets a name check that accepts any certificate. */
export const postgresTransport = (client: object): Transport => {
  const { stream, ssl } = Object(Reflect.get(client, 'connection')) as { readonly stream?: unknown; readonly ssl?: unknown }
  return transportOf(stream, Reflect.get(Object(ssl), 'checkServerIdentity') === undefined)
}

const loadDriver = async (): Promise<Driver> => {
  try {
    return exported(await import('pg')) as Driver
  } catch (error) {
    throw loadFailure('postgres', 'pg', error) ?? report(error)
  }
}

const ownPool = async ({ url, poolSize, warn }: PostgresUrl, access: Access) => {
  const { Pool, Client } = await loadDriver()
  const config = { connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, application_name: 'latchkey' }
  const clients = new Set<object>()
  class Known extends Client {
    constructor(options: { readonly [option: string]: unknown }) {
      super(options)
      clients.add(this)
      this.on('end', () => clients.delete(this))
    }
  }
  const pool = new Pool({ ...config, Client: Known, max: poolSize, idleTimeoutMillis: 30_000, allowExitOnIdle: true })
  // The server may close an idle connection. The next call replaces it.
  pool.on('error', () => {})
  const tell = tellOnce('postgres', warn)
  const onConnection = (client: PostgresClient): void => tell(postgresTransport(client))
  const close = async (): Promise<void> => {
    const cutAll = setTimeout(() => clients.forEach(cut), GOODBYE_MS)
    await pool.end()
    clearTimeout(cutAll)
  }
  return { Client, config, close, leases: leasesOf(pool, { ...access, onConnection }) }
}

const openUrl = async (source: PostgresUrl, tables: Tables): Promise<OpenedPostgres> => {
  const { Client, config, close, leases } = await ownPool(source, tables)
  return over(leases, tables, { close, subscribe: listener(leases, tables.names, () => new Client(config)) })
}

const overHostPool = (pool: PostgresPool, tables: Tables): OpenedPostgres => {
  const { Client, options } = pool as PostgresPool & { readonly Client?: new (options: unknown) => ListenClient }
  // Not one of the pool's connections, because there may be few, and the host may end the pool while latchkey listens.
  const leases = leasesOf(pool, tables)
  if (typeof Client !== 'function') return over(leases, tables, {})
  return over(leases, tables, { subscribe: listener(leases, tables.names, () => new Client(options)) })
}

const overKysely = async (kysely: KyselyHandle, { names, lineage }: Tables): Promise<OpenedPostgres> => {
  try {
    await patiently(postgresQuirks.faultOf, () => driveAsync(checkValues(), (query) => kysely.withoutPlugins().executeQuery(query)))
  } catch (error) {
    throw report(error)
  }
  return openedOver(kyselyEngine(kysely, postgresQuirks, names, {}), names, lineage)
}

/** Opens a replica. Called at its first use, because a broken replica must not keep the store from opening. */
const askReplica = async (source: PostgresSource): Promise<{ ask: ReplicaAsk; close(): Promise<void> }> => {
  const close = async (): Promise<void> => {}
  if ('kysely' in source) {
    const kysely = source.kysely.withoutPlugins()
    await driveAsync(checkValues([], 'replica'), (query) => kysely.executeQuery(query))
    return { ask: async (query) => (await kysely.executeQuery(query)).rows, close }
  }
  if ('pool' in source) return { ask: findThrough(leasesOf(source.pool, { purpose: 'replica' }).any), close }
  const own = await ownPool(source, { purpose: 'replica' })
  return { ask: findThrough(own.leases.any), close: own.close }
}

const openPrimary = async (source: PostgresSource, names: Names): Promise<OpenedPostgres> => {
  const tables = { names, lineage: new Lineage() }
  if ('url' in source) return openUrl(source, tables)
  if ('pool' in source) return overHostPool(source.pool, tables)
  return overKysely(source.kysely, tables)
}

/** Opens the store: the part that needs Kysely and `pg`. */
export const openPostgresStore = async (source: PostgresSource, names: Names, read?: PostgresSource): Promise<Opened> => {
  const opened = await openPrimary(source, names)
  if (read === undefined) return opened
  return { ...opened, store: readThrough(opened.store, new Replica(names, () => askReplica(read), report), opened.identity) }
}
