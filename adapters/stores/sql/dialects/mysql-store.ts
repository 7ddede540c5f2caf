import { CompiledQuery, Kysely, type MysqlPool as KyselyPool, MysqlDialect } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { exported, loadFailure } from '../../lib/package.js'
import { unavailable } from '../faults.js'
import { type KyselyEngineOptions, type KyselyHandle, kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import type { Names } from '../schema/table-names.js'
import { openStore } from '../store.js'
import { mysqlQuirks } from './mysql-quirks.js'

/** A connection that a pool of `mysql2` hands out. */
export type MysqlConnection = {
  query(
    options: { readonly sql: string; readonly timeout: number },
    values: never,
    callback: (error: unknown, result: never) => void,
  ): unknown
  execute(
    options: { readonly sql: string; readonly timeout: number },
    values: never,
    callback: (error: unknown, result: never) => void,
  ): unknown
  release(): void
  destroy(): void
}

/** The part of a pool of `mysql2` that is used. */
export type MysqlPool = {
  getConnection(callback: (error: unknown, connection: MysqlConnection) => void): void
}

/** A pool of `mysql2/promise`: it has the other kind inside. */
export type MysqlPromisePool = { readonly pool: MysqlPool }

/** What to open. */
export type MysqlSource =
  | { readonly url: string; readonly poolSize: number }
  | { readonly pool: MysqlPool }
  | { readonly kysely: KyselyHandle }

type OwnPool = MysqlPool & {
  on(event: 'connection', listener: (connection: { query(sql: string, callback: () => void): unknown }) => void): unknown
  end(callback: (error: unknown) => void): void
}
type Driver = { createPool(options: { readonly [option: string]: unknown }): OwnPool }

/** Where a cable is cut nobody is told: what got no answer for so long frees its connection. Upgrades and bulk revocations take a while. */
const TIMEOUT_MS = 90_000
const READ_TIMEOUT_MS = 5_000

const report = (error: unknown): Error => unavailable('mysql', mysqlQuirks.faultOf, error)

type Lease = { ask(how: 'query' | 'execute', sql: string, values: readonly unknown[], timeout: number): Promise<unknown>; release(): void }

/** A connection that is thrown away when it was lost, instead of being handed to the next. */
const checkOut = (pool: MysqlPool): Promise<Lease> =>
  new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => {
      if (error) return reject(error as Error)
      let broken = false
      resolve({
        ask: (how, sql, values, timeout) =>
          new Promise((answer, refuse) => {
            connection[how]({ sql, timeout }, values as never, (failure, result) => {
              if (!failure) return answer(result)
              if (mysqlQuirks.faultOf(failure) === 'connection') broken = true
              refuse(failure as Error)
            })
          }),
        release: () => (broken ? connection.destroy() : connection.release()),
      })
    })
  })

type Done = (error: unknown, result?: unknown) => void

/** The pool as Kysely wants it. */
const forKysely = (pool: MysqlPool): KyselyPool =>
  ({
    getConnection(done: Done): void {
      checkOut(pool).then(
        (lease) => {
          const query = (sql: string, values: readonly unknown[], answer: Done): void => {
            lease.ask('query', sql, values, TIMEOUT_MS).then(
              (result) => answer(null, result),
              (error: unknown) => answer(error),
            )
          }
          done(null, { query, release: lease.release })
        },
        (error: unknown) => done(error),
      )
    },
    end: (done: Done): void => done(undefined),
  }) as unknown as KyselyPool

/** Reads by a statement that is prepared once a connection. */
const executeThrough = (pool: MysqlPool): NonNullable<KyselyEngineOptions['find']> => {
  const once = async (sql: string, values: readonly unknown[]): Promise<readonly unknown[]> => {
    const lease = await checkOut(pool)
    try {
      return (await lease.ask('execute', sql, values, READ_TIMEOUT_MS)) as readonly unknown[]
    } finally {
      lease.release()
    }
  }
  return async ({ sql, parameters }) => {
    try {
      return await once(sql, parameters)
    } catch (error) {
      // A connection that died while it was idle: one more try.
      if (mysqlQuirks.faultOf(error) !== 'connection') throw error
      return await once(sql, parameters)
    }
  }
}

/**
 * The driver writes values into the text of a query and escapes them with backslashes, and a server that is not strict cuts what is too
 * long for its column: neither may be otherwise.
 */
const checkMode = async (kysely: KyselyHandle): Promise<void> => {
  const query = CompiledQuery.raw('select @@session.sql_mode as mode') as CompiledQuery<{ readonly mode: string }>
  const { rows } = await kysely.executeQuery(query)
  const mode = String(rows[0]?.mode)
  if (mode.includes('NO_BACKSLASH_ESCAPES')) {
    throw new StoreUnavailableError(
      'mysql store: take NO_BACKSLASH_ESCAPES out of the sql_mode of these connections: values are escaped with backslashes',
    )
  }
  if (!/STRICT_(TRANS|ALL)_TABLES/.test(mode)) {
    throw new StoreUnavailableError(
      'mysql store: put STRICT_TRANS_TABLES into the sql_mode of these connections: without it values are cut in silence',
    )
  }
}

const over = (kysely: KyselyHandle, names: Names, options: KyselyEngineOptions): Opened => ({
  store: openStore(kyselyEngine(kysely, mysqlQuirks, names, options), mysqlQuirks, names),
  unavailable: report,
})

const checked = async (kysely: KyselyHandle, close?: () => Promise<void>): Promise<void> => {
  try {
    await checkMode(kysely.withoutPlugins())
  } catch (error) {
    await close?.()
    throw report(error)
  }
}

const kyselyOver = (pool: MysqlPool): Kysely<unknown> => new Kysely<unknown>({ dialect: new MysqlDialect({ pool: forKysely(pool) }) })

const loadDriver = async (): Promise<Driver> => {
  try {
    return exported(await import('mysql2')) as Driver
  } catch (error) {
    throw loadFailure('mysql', 'kysely mysql2', error) ?? report(error)
  }
}

const openUrl = async (url: string, poolSize: number, names: Names): Promise<Opened> => {
  const { createPool } = await loadDriver()
  const pool = createPool({
    uri: url,
    connectionLimit: poolSize,
    connectTimeout: 2_000,
    enableKeepAlive: true,
    charset: 'utf8mb4',
  })
  pool.on('connection', (connection) => {
    connection.query("set session sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'", () => {})
  })
  const kysely = kyselyOver(pool)
  const close = (): Promise<void> => new Promise((resolve, reject) => pool.end((error) => (error ? reject(error as Error) : resolve())))
  await checked(kysely, close)
  return over(kysely, names, { close, find: executeThrough(pool) })
}

/** Opens the store: the part that needs Kysely and `mysql2`. */
export const openMysqlStore = async (source: MysqlSource, names: Names): Promise<Opened> => {
  if ('url' in source) return openUrl(source.url, source.poolSize, names)
  const kysely = 'pool' in source ? kyselyOver(source.pool) : source.kysely
  await checked(kysely)
  return over(kysely, names, 'pool' in source ? { find: executeThrough(source.pool) } : {})
}
