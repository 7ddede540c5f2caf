import { CompiledQuery, Kysely, type MysqlPool as KyselyPool, MysqlDialect } from 'kysely'
import { StoreUnavailableError } from '../../../src/errors.js'
import { unavailable } from './faults.js'
import { type KyselyEngineOptions, type KyselyHandle, kyselyEngine } from './kysely-engine.js'
import type { Opened } from './lazy.js'
import { mysqlQuirks } from './mysql-quirks.js'
import { openStore } from './store.js'
import type { Names } from './table-names.js'

/** A connection that a pool of `mysql2` hands out. */
export type MysqlConnection = {
  query(sql: string, values: never, callback: (error: unknown, result: never) => void): unknown
  release(): void
  destroy(): void
}

/** The part of a pool of `mysql2` that is used. */
export type MysqlPool = {
  getConnection(callback: (error: unknown, connection: MysqlConnection) => void): void
  execute(sql: string, values: never, callback: (error: unknown, rows: never) => void): unknown
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
type Callback = (error: unknown, result: unknown) => void

const report = (error: unknown): Error => unavailable('mysql', mysqlQuirks.faultOf, error)

/** A pool for Kysely that throws a connection away when it was lost, instead of handing it to the next. */
const careful = (pool: MysqlPool): KyselyPool =>
  ({
    getConnection(done: (error: unknown, connection: unknown) => void): void {
      pool.getConnection((error, connection) => {
        if (error) return done(error, undefined)
        let broken = false
        const query = (sql: string, values: readonly unknown[], callback: Callback): unknown =>
          connection.query(sql, values as never, (failure, result) => {
            if (failure && mysqlQuirks.faultOf(failure) === 'connection') broken = true
            callback(failure, result)
          })
        done(null, { query, release: () => (broken ? connection.destroy() : connection.release()) })
      })
    },
    end: (done: (error: unknown) => void): void => done(undefined),
  }) as unknown as KyselyPool

const executeThrough =
  (pool: MysqlPool): NonNullable<KyselyEngineOptions['find']> =>
  async (query) => {
    const ask = (): Promise<readonly unknown[]> =>
      new Promise((resolve, reject) => {
        pool.execute(query.sql, query.parameters as never, (error, rows) => (error ? reject(error as Error) : resolve(rows)))
      })
    try {
      return await ask()
    } catch (error) {
      // A connection that died while it was idle: one more try.
      if (mysqlQuirks.faultOf(error) !== 'connection') throw error
      return await ask()
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

const kyselyOver = (pool: MysqlPool): Kysely<unknown> => new Kysely<unknown>({ dialect: new MysqlDialect({ pool: careful(pool) }) })

const openUrl = async (url: string, poolSize: number, names: Names): Promise<Opened> => {
  const name = 'mysql2'
  const module = (await import(name)) as { readonly default: Driver }
  const pool = module.default.createPool({
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
