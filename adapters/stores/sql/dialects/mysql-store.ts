import { Kysely, type MysqlPool as KyselyPool, MysqlDialect } from 'kysely'
import { exported, loadFailure } from '../../lib/package.js'
import { type Transport, type TransportWarning, tellOnce, transportOf } from '../../lib/transport.js'
import { sqlOf } from '../context.js'
import { driveAsync } from '../engine.js'
import { unavailable } from '../faults.js'
import type { Shares } from '../in-turn.js'
import { type KyselyEngineOptions, type KyselyHandle, kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import { patiently, promptly } from '../retry.js'
import type { Names } from '../schema/table-names.js'
import { BRIEF_MS } from '../silence.js'
import { openStore } from '../store.js'
import { checkValues, leasesOf, type MysqlLease, type MysqlPool, resultOf } from './mysql-connection.js'
import { mysqlHost } from './mysql-host.js'
import { mysqlQuirks } from './mysql-quirks.js'
import { SET_SESSION } from './mysql-session.js'

type MysqlUrl = { readonly url: string; readonly poolSize: number; readonly warn: (warning: TransportWarning) => void }

/** The source to open. */
export type MysqlSource = MysqlUrl | { readonly pool: MysqlPool } | { readonly kysely: KyselyHandle }

type OwnPool = MysqlPool & {
  on(event: 'connection', listener: (connection: { query(sql: string, callback: () => void): unknown }) => void): unknown
  end(callback: (error: unknown) => void): void
}
type Stream = { once(event: 'close', listener: () => void): unknown; destroy(): unknown }
type Driver = { createPool(options: { readonly [option: string]: unknown }): OwnPool }

/** How long the server may take to close connections on shutdown, in milliseconds. After that, they are cut off. */
const GOODBYE_MS = 500

const report = (error: unknown): Error => unavailable('mysql', mysqlQuirks.faultOf, error)

type Done = (error: unknown, result?: unknown) => void

/** Returns the pool in the form that Kysely expects. A lost connection is discarded instead of being reused. */
const kyselyOver = (take: () => Promise<MysqlLease>, limitMs?: number): KyselyHandle => {
  const pool = {
    getConnection(done: Done): void {
      take().then(
        (lease) => {
          const query = (sql: string, values: readonly unknown[], answer: Done): void => {
            lease.ask('query', sql, values, limitMs).then(
              (result) => answer(null, result),
              (error: unknown) => answer(error),
            )
          }
          done(null, { query, release: () => lease.release() })
        },
        (error: unknown) => done(error),
      )
    },
    end: (done: Done): void => done(undefined),
  }
  return new Kysely<unknown>({ dialect: new MysqlDialect({ pool: pool as unknown as KyselyPool }) })
}

/** Reads with a statement that is prepared once per connection. */
const executeThrough = (take: () => Promise<MysqlLease>): NonNullable<KyselyEngineOptions['find']> => {
  const once = async (sql: string, values: readonly unknown[]): Promise<readonly unknown[]> => {
    const lease = await take()
    try {
      return (await lease.ask('execute', sql, values, BRIEF_MS)) as readonly unknown[]
    } finally {
      lease.release()
    }
  }
  return ({ sql, parameters }) => promptly(mysqlQuirks.faultOf, () => once(sql, parameters))
}

const over = (kysely: KyselyHandle, names: Names, options: KyselyEngineOptions): Opened => ({
  store: openStore(sqlOf(kyselyEngine(kysely, mysqlQuirks, names, options), mysqlQuirks, names), mysqlHost),
  unavailable: report,
})

const overPool = ({ any, feed, others, reads }: Shares<MysqlLease>, names: Names, options: KyselyEngineOptions): Opened => {
  const ways = { find: executeThrough(any), feed: kyselyOver(feed, BRIEF_MS), reads: kyselyOver(reads) }
  return over(kyselyOver(others), names, { ...ways, ...options })
}

const loadDriver = async (): Promise<Driver> => {
  try {
    return exported(await import('mysql2')) as Driver
  } catch (error) {
    throw loadFailure('mysql', 'mysql2', error) ?? report(error)
  }
}

/** By default, this driver does not verify the host name in the certificate, so it accepts any certificate of the same authority. */
export const mysqlTransport = (connection: object): Transport => {
  const { ssl } = Object(Reflect.get(connection, 'config')) as { readonly ssl?: unknown }
  return transportOf(Reflect.get(connection, 'stream'), Reflect.get(Object(ssl), 'verifyIdentity') === true)
}

const openUrl = async ({ url, poolSize, warn }: MysqlUrl, names: Names): Promise<Opened> => {
  const { createPool } = await loadDriver()
  const pool = createPool({
    uri: url,
    connectionLimit: poolSize,
    maxIdle: poolSize,
    connectTimeout: 2_000,
    enableKeepAlive: true,
    charset: 'utf8mb4',
  })
  const streams = new Set<Stream>()
  pool.on('connection', (connection) => {
    const stream = Reflect.get(connection, 'stream') as Stream
    streams.add(stream)
    stream.once('close', () => streams.delete(stream))
    // If one of these fails, the check before the first use finds it.
    for (const statement of SET_SESSION) connection.query(statement, () => {})
  })
  const close = async (): Promise<void> => {
    // Idle connections would let the process end before they are closed. This timer keeps it alive.
    const cutAll = setInterval(() => {
      for (const stream of streams) stream.destroy()
    }, GOODBYE_MS)
    try {
      await new Promise<void>((resolve, reject) =>
        // A connection that was cut or lost is also closed.
        pool.end((error) => (error && mysqlQuirks.faultOf(error) !== 'connection' ? reject(error as Error) : resolve())),
      )
    } finally {
      clearInterval(cutAll)
    }
  }
  const tell = tellOnce('mysql', warn)
  return overPool(leasesOf(pool, { onConnection: (connection) => tell(mysqlTransport(connection)) }), names, { close })
}

/**
 * The store cannot see which connection of its pool a Kysely instance uses, so one connection is checked here, and every connection is checked before it
 * writes.
 */
const overKysely = async (kysely: KyselyHandle, names: Names): Promise<Opened> => {
  const check = (connection: KyselyHandle): Promise<void> =>
    driveAsync(checkValues(), async (query) => resultOf((await connection.executeQuery(query)).rows))
  try {
    await patiently(mysqlQuirks.faultOf, () => kysely.withoutPlugins().connection().execute(check))
  } catch (error) {
    throw report(error)
  }
  return over(kysely, names, { check })
}

/** Opens the store: the part that needs Kysely and `mysql2`. */
export const openMysqlStore = async (source: MysqlSource, names: Names): Promise<Opened> => {
  if ('url' in source) return openUrl(source, names)
  return 'pool' in source ? overPool(leasesOf(source.pool), names, {}) : overKysely(source.kysely, names)
}
