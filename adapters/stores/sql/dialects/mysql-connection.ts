import { CompiledQuery, type QueryResult } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { askRaw, driveAsync, type Steps } from '../engine.js'
import { type Shares, sharesOf } from '../in-turn.js'
import { differencesOf, KNOWN, refuseDifferences } from '../known-values.js'
import { BRIEF_MS, Silence } from '../silence.js'
import { mysqlQuirks } from './mysql-quirks.js'
import { checkSession, SESSION_VARIABLES } from './mysql-session.js'

type TypeCast = (field: unknown, next: () => unknown) => unknown

/** A query for `mysql2`, with options that would change its rows turned off. */
export type MysqlQuery = {
  readonly sql: string
  readonly rowsAsArray: false
  readonly nestTables: false
  readonly namedPlaceholders: false
  readonly typeCast?: TypeCast
}

/** A connection from a `mysql2` pool. */
export type MysqlConnection = {
  query(options: MysqlQuery, values: never, callback: (error: unknown, result: never) => void): unknown
  execute(options: MysqlQuery, values: never, callback: (error: unknown, result: never) => void): unknown
  on(event: 'error', listener: () => void): unknown
  removeListener(event: 'error', listener: () => void): unknown
  release(): void
  destroy(): void
}

/** The part of a `mysql2` pool that the store uses. */
export type MysqlPool = {
  getConnection(callback: (error: unknown, connection: MysqlConnection) => void): void
}

/** A `mysql2/promise` pool, which wraps a `mysql2` pool. */
export type MysqlPromisePool = { readonly pool: MysqlPool }

/** A connection while the store uses it. */
export type MysqlLease = {
  /** Fails if there is no reply within the limit, in milliseconds. */
  ask(how: 'query' | 'execute', sql: string, values: readonly unknown[], limitMs?: number): Promise<unknown>
  /** Returns the connection to its pool, or closes it if requested or if it is broken. */
  release(drop?: boolean): void
}

/** Returns the known values, and the server's bytes of the text, regardless of the connection's character set. */
const KNOWN_VALUES: CompiledQuery = CompiledQuery.raw(
  `select cast(? as signed) as known_int, ? as known_text, ? as known_json, ? as known_empty, ? as known_null,
  hex(convert(? using utf8mb4)) as known_bytes`,
  [KNOWN.int, KNOWN.text, KNOWN.json, KNOWN.empty, null, KNOWN.text],
)

/** `mysql2`'s own default: utf8mb4_unicode_ci. */
const DEFAULT_CHARSET = 224

type Config = { readonly typeCast?: unknown; readonly queryFormat?: unknown; readonly charsetNumber?: unknown }

const configOf = (from: object): Config => (Reflect.get(from, 'config') ?? {}) as Config

/** Returns the names, never the values, of the options that are known to change values and cannot be overridden for one query. */
const suspects = (connection: MysqlConnection): readonly string[] => {
  const { queryFormat, charsetNumber } = configOf(connection)
  return [...(typeof queryFormat === 'function' ? ['queryFormat'] : []), ...(charsetNumber === DEFAULT_CHARSET ? [] : ['charset'])]
}

const asSent: TypeCast = (_field, next) => next()

/** Returns the options of one query, with all row shaping turned off. A `typeCast` here replaces the connection's own; rows are read faster without one. */
const plainQuery = (connection: object, sql: string): MysqlQuery => ({
  sql,
  rowsAsArray: false,
  nestTables: false,
  namedPlaceholders: false,
  ...(configOf(connection).typeCast === true ? {} : { typeCast: asSent }),
})

/** Runs a statement on a connection that the host keeps. */
export const queryOn = (connection: MysqlConnection, sql: string, values: readonly unknown[]): Promise<unknown> =>
  new Promise((answer, refuse) => {
    connection.query(plainQuery(connection, sql), values as never, (failure, result) =>
      failure ? refuse(failure as Error) : answer(result),
    )
  })

type Stream = { ref?(): unknown; unref?(): unknown }

const hold = (connection: MysqlConnection, own: boolean, silence: Silence): MysqlLease => {
  let broken = false
  // A connection of the store's own pool keeps the process alive only while it is in use.
  const stream: Stream = own ? Object(Reflect.get(connection, 'stream')) : {}
  stream.ref?.()
  const lost = (): void => {
    broken = true
  }
  connection.on('error', lost)
  return {
    async ask(how, sql, values, limitMs) {
      if (broken) throw Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET' })
      const send = (): Promise<unknown> =>
        new Promise((answer, refuse) => {
          connection[how](plainQuery(connection, sql), values as never, (failure, result) =>
            failure ? refuse(failure as Error) : answer(result),
          )
        })
      try {
        // Not the driver's own timer, which outlives a lost connection.
        return await silence.ask(connection, send, limitMs)
      } catch (error) {
        if (mysqlQuirks.faultOf(error) === 'connection') broken = true
        throw error
      }
    },
    release(drop = broken) {
      connection.removeListener('error', lost)
      stream.unref?.()
      if (drop || broken) connection.destroy()
      else connection.release()
    },
  }
}

/** Converts a driver's answer to a query result. */
export const resultOf = (answer: unknown): QueryResult<unknown> => ({ rows: Array.isArray(answer) ? answer : [] })

/** Refuses a connection that alters values, or whose server does not even accept the known values. */
function* checkKnown(options: readonly string[]): Steps<void> {
  let rows: readonly unknown[]
  try {
    rows = (yield* askRaw(KNOWN_VALUES)).rows
  } catch (error) {
    const { errno } = error as { readonly errno?: unknown }
    // ER_PARSE_ERROR, ER_INVALID_CHARACTER_STRING, ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ER_CANNOT_CONVERT_STRING
    if (![1064, 1300, 1366, 3854].includes(Number(errno))) throw error
    return refuseDifferences('mysql', ['text in other scripts does not reach the server'], options)
  }
  refuseDifferences('mysql', differencesOf(rows), options)
}

/** Refuses a session that alters stored or read values, according to its settings (except those left to the host) or to the known values. */
export function* checkValues(options: readonly string[] = [], ofTheHost: readonly unknown[] = []): Steps<void> {
  const { rows } = yield* askRaw(CompiledQuery.raw(SESSION_VARIABLES))
  const readable = checkSession(rows.filter((row) => !ofTheHost.includes(Reflect.get(Object(row), 'Variable_name'))))
  yield* checkKnown(options)
  if (!readable) throw new StoreUnavailableError('mysql store: the connection settings cannot be read')
}

const check = async (connection: MysqlConnection, lease: MysqlLease): Promise<void> => {
  const options = suspects(connection)
  const by =
    (how: 'query' | 'execute') =>
    async ({ sql, parameters }: CompiledQuery): Promise<QueryResult<unknown>> =>
      resultOf(await lease.ask(how, sql, parameters, BRIEF_MS))
  await driveAsync(checkValues(options), by('query'))
  // Results of prepared statements have a different encoding and parser.
  await driveAsync(checkKnown(options), by('execute'))
}

/** Hooks of the store's own pool. */
type OwnPool = { onConnection(connection: MysqlConnection): void }

/**
 * Hands out the connections of a pool, and checks each before its first use.
 *
 * A pool that resets its connections on release undoes the settings that the host made at first, so these connections are checked a second time.
 */
export const leasesOf = (pool: MysqlPool, own?: OwnPool): Shares<MysqlLease> => {
  const silence = new Silence()
  const { resetOnRelease, connectionLimit } = (Reflect.get(pool, 'config') ?? {}) as {
    readonly resetOnRelease?: unknown
    readonly connectionLimit?: unknown
  }
  const looks = resetOnRelease ? 2 : 1
  const looked = new WeakMap<MysqlConnection, number>()
  const look = async (connection: MysqlConnection, lease: MysqlLease): Promise<MysqlLease> => {
    try {
      await check(connection, lease)
    } catch (error) {
      lease.release()
      throw error
    }
    looked.set(connection, (looked.get(connection) ?? 0) + 1)
    own?.onConnection(connection)
    return lease
  }
  const connect = (): Promise<MysqlLease> =>
    new Promise((resolve, reject) => {
      pool.getConnection((error, connection) => {
        if (error) return reject(error as Error)
        const lease = hold(connection, own !== undefined, silence)
        if (silence.isSuspect(connection)) {
          lease.release(true)
          resolve(connect())
        } else resolve((looked.get(connection) ?? 0) >= looks ? lease : look(connection, lease))
      })
    })
  return sharesOf(connectionLimit, connect)
}
