import type { CompiledQuery, QueryResult } from 'kysely'
import { isBusy } from './sqlite-quirks.js'

/** The part of a `better-sqlite3` or `libsql` database that the store uses. */
export type SyncDatabase = {
  prepare(sql: string): { all(parameters: never): unknown[]; run(parameters: never): { readonly changes: number | bigint } }
  exec(sql: string): unknown
  close(): unknown
  pragma(sql: string): unknown
  readonly open?: unknown
  readonly inTransaction?: unknown
}

/** The part of a `node:sqlite` `DatabaseSync` that the store uses. */
export type NodeDatabase = {
  prepare(sql: string): { all(...parameters: never[]): unknown[]; run(...parameters: never[]): { readonly changes: number | bigint } }
  exec(sql: string): unknown
  close(): unknown
  /** Since Node 22.16. */
  readonly isTransaction?: unknown
}

type Prepared = (parameters: readonly unknown[]) => QueryResult<unknown>

/** An open database with a synchronous driver. */
export type SqliteHandle = {
  exec(sql: string): void
  /**
   * Runs one statement: any statement in a transaction that holds the write lock, otherwise only a statement that reads. libsql does not reset a statement that
   * failed with SQLITE_BUSY, and until it is reset, every read of the handle sees the file as of that moment.
   */
  run<R>(query: CompiledQuery<R>): QueryResult<R>
  /** Like `run`, in a transaction that might not hold the write lock yet. */
  runLocked<R>(query: CompiledQuery<R>): QueryResult<R>
  /** Throws if a transaction is open, as BEGIN does. */
  refuseWithin(): void
  close(): void
}

/** The maximum number of prepared statements kept. The library itself needs far fewer. */
const MOST_PREPARED = 256
/** Longer statements are inserts of many rows, which hardly ever repeat. */
const LONGEST_PREPARED = 4_000

/**
 * Returns a statement that takes the write lock like the given statement but changes nothing, and leaves no open statement behind if the lock is not
 * available.
 */
const lockFor = (text: string): string | undefined => {
  const table = /^\s*(?:insert\s+into|update|delete\s+from)\s+("[^"]+"|\w+)/i.exec(text)?.[1]
  return table === undefined ? undefined : `delete from ${table} where 0`
}

const reads = (text: string): boolean => /^\s*(select|with|pragma)\b/i.test(text)
const returns = (text: string): boolean => /\breturning\b/i.test(text)

/** Returns whether this statement cannot change anything. */
export const onlyReads = (text: string): boolean => reads(text) && !returns(text)

const answersRows = (text: string): boolean => reads(text) || returns(text)

type Statement = {
  all(...parameters: unknown[]): unknown[]
  run(...parameters: unknown[]): { readonly changes: number | bigint }
  /** `better-sqlite3` and `libsql`. */
  safeIntegers?(on: boolean): unknown
  /** `node:sqlite`. */
  setReadBigInts?(on: boolean): unknown
  setReturnArrays?(on: boolean): unknown
}

/** Makes a statement return rows as objects and integers as numbers, regardless of the defaults that the host set on its database. */
const unshaped = (statement: Statement): Statement => {
  statement.safeIntegers?.(false)
  statement.setReadBigInts?.(false)
  statement.setReturnArrays?.(false)
  return statement
}

const spread = (database: SyncDatabase | NodeDatabase): boolean => !('pragma' in database)

const prepare = (database: SyncDatabase | NodeDatabase, text: string): Prepared => {
  const statement = unshaped(database.prepare(text) as Statement)
  const rows = answersRows(text)
  if (spread(database)) {
    if (rows) return (parameters) => ({ rows: statement.all(...parameters) })
    return (parameters) => ({ rows: [], numAffectedRows: BigInt(statement.run(...parameters).changes) })
  }
  // Always in an array, because libsql treats a lone object as named parameters and aborts the process on a Buffer.
  if (rows) return (parameters) => ({ rows: statement.all(parameters) })
  return (parameters) => ({ rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) })
}

/** Returns whether a transaction is open; `undefined` if the driver cannot tell. libsql aborts the process if a closed database is queried. */
const transactionOf = (database: SyncDatabase | NodeDatabase): boolean | undefined => {
  const open = 'pragma' in database ? database.open !== false && database.inTransaction : database.isTransaction
  return typeof open === 'boolean' ? open : undefined
}

const WITHIN = 'cannot continue within a transaction'

const handles: WeakMap<object, SqliteHandle> = new WeakMap()

/** Wraps a database of any of the three drivers. One database always has the same handle, so its next user ends a read that failed as busy. */
export const sqliteHandle = (database: SyncDatabase | NodeDatabase): SqliteHandle => {
  const known = handles.get(database)
  if (known !== undefined) return known
  const made = wrap(database)
  handles.set(database, made)
  return made
}

const wrap = (database: SyncDatabase | NodeDatabase): SqliteHandle => {
  const kept = new Map<string, Prepared>()
  let interrupted: (() => unknown) | undefined

  const prepared = (text: string): Prepared => {
    const known = kept.get(text)
    if (known !== undefined) return known
    const made = prepare(database, text)
    if (text.length <= LONGEST_PREPARED) {
      if (kept.size >= MOST_PREPARED) kept.clear()
      kept.set(text, made)
    }
    return made
  }

  // Running a read to its end is the only way to reset it with every driver.
  const endInterrupted = (): void => {
    if (interrupted === undefined) return
    interrupted()
    interrupted = undefined
  }

  const run = <R>({ sql, parameters }: CompiledQuery<R>): QueryResult<R> => {
    endInterrupted()
    const statement = prepared(sql)
    try {
      return statement(parameters) as QueryResult<R>
    } catch (error) {
      if (onlyReads(sql) && isBusy(error)) interrupted = () => statement(parameters)
      throw error
    }
  }

  return {
    // Drivers finalize a statement that is run this way, even if it fails.
    exec(sql: string): void {
      database.exec(sql)
    },
    run,
    runLocked<R>(query: CompiledQuery<R>): QueryResult<R> {
      const lock = lockFor(query.sql)
      if (lock !== undefined) database.exec(lock)
      return run(query)
    },
    refuseWithin(): void {
      const open = transactionOf(database)
      if (open) throw new Error(WITHIN)
      if (open === false) return
      database.exec('begin')
      database.exec('rollback')
    },
    close(): void {
      handles.delete(database)
      kept.clear()
      interrupted = undefined
      database.close()
    },
  }
}
