import type { CompiledQuery, QueryResult } from 'kysely'

/** The part of a `better-sqlite3` or `libsql` database that is used. */
export type SyncDatabase = {
  prepare(sql: string): { all(parameters: never): unknown[]; run(parameters: never): { readonly changes: number | bigint } }
  exec(sql: string): unknown
  close(): unknown
  pragma(sql: string): unknown
}

/** The part of a `DatabaseSync` of `node:sqlite` that is used. */
export type NodeDatabase = {
  prepare(sql: string): { all(...parameters: never[]): unknown[]; run(...parameters: never[]): { readonly changes: number | bigint } }
  exec(sql: string): unknown
  close(): unknown
}

type Prepared = (parameters: readonly unknown[]) => QueryResult<unknown>

/** One open database that answers at once. */
export type SqliteHandle = {
  exec(sql: string): void
  run<R>(query: CompiledQuery<R>): QueryResult<R>
  close(): void
}

/** Statements that are kept prepared; the texts of this library are far fewer. */
const MOST_PREPARED = 256
/** Texts longer than this are inserts of many rows, of which no two are alike. */
const LONGEST_PREPARED = 4_000

const answersRows = (text: string): boolean => /^\s*(select|with|pragma)\b/i.test(text) || /\breturning\b/i.test(text)

type Statement = {
  all(...parameters: unknown[]): unknown[]
  run(...parameters: unknown[]): { readonly changes: number | bigint }
  /** `better-sqlite3` and `libsql`. */
  safeIntegers?(on: boolean): unknown
  /** `node:sqlite`. */
  setReadBigInts?(on: boolean): unknown
  setReturnArrays?(on: boolean): unknown
}

/** Rows as objects and integers as numbers, whatever the host set for all statements of its database. */
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
  // Always in an array: libsql takes a lone object for named parameters and aborts the process on a Buffer.
  if (rows) return (parameters) => ({ rows: statement.all(parameters) })
  return (parameters) => ({ rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) })
}

/** Wraps a database of any of the three drivers. */
export const sqliteHandle = (database: SyncDatabase | NodeDatabase): SqliteHandle => {
  const kept = new Map<string, Prepared>()
  return {
    exec(sql: string): void {
      database.exec(sql)
    },
    run<R>(query: CompiledQuery<R>): QueryResult<R> {
      let prepared = kept.get(query.sql)
      if (prepared === undefined) {
        prepared = prepare(database, query.sql)
        if (query.sql.length <= LONGEST_PREPARED) {
          if (kept.size >= MOST_PREPARED) kept.clear()
          kept.set(query.sql, prepared)
        }
      }
      return prepared(query.parameters) as QueryResult<R>
    },
    close(): void {
      kept.clear()
      database.close()
    },
  }
}
