import type { CompiledQuery, Expression, Kysely, SqlBool } from 'kysely'
import type { StoreDiagnosis } from '../../../src/store/diagnosis.js'
import type { Steps } from './engine.js'
import type { Tables } from './schema/schema.js'
import type { Names } from './schema/table-names.js'
import type { TokenRow, Wide } from './schema/token-columns.js'

/** The query builder: it compiles queries and runs nothing. */
export type Builder = Kysely<Tables>

/** Kinds of driver faults that need different handling. */
export type Fault =
  /** A row with this key already exists. */
  | 'duplicate'
  /** A row of another table refers to a row that would be removed. */
  | 'referenced'
  /** A conflict with another transaction: the same work succeeds when it is retried. */
  | 'contention'
  /** A lock could not be taken in time. If reported quickly, this is a conflict; otherwise, a transaction has stayed open. */
  | 'waited'
  /** The connection was lost or never made. */
  | 'connection'
  /** The server refuses or requires TLS, or its certificate is not trusted. */
  | 'encryption'
  | 'authentication'
  | 'tables_missing'
  | 'database_missing'
  | 'read_only'
  | 'full'
  | 'locked'
  | 'permission'
  | 'damaged'
  | 'closed'
  | 'unknown'

/**
 * Statements within a transaction that limit the wait for a lock, and restore the previous limit. After an error, the limit ends with the transaction, unless
 * it belongs to the session.
 */
export type Wait = { readonly begin: string; readonly end: string; readonly ofSession: boolean }

/** One versioned upgrade of the schema. Each statement can run again after a process died halfway. */
export type Migration = {
  readonly version: number
  readonly name: string
  readonly statements: readonly string[]
  /** Optional statements that run last. If one of them fails harmlessly, the rest are skipped. */
  readonly optional?: { readonly statements: readonly string[]; forgives(error: unknown): boolean }
}

/** How a schema upgrade is guarded: by one transaction, or by a lock that one connection takes and releases. */
type MigrationLock = { readonly transactional: boolean; readonly take?: CompiledQuery; readonly release?: CompiledQuery }

/** An index of the three-letter pieces of names. */
type NameIndex = {
  /** Counts the names that contain this text, up to `most`: a query with one row and the column `found`. */
  count(names: Names, folded: string, most: number): CompiledQuery<{ readonly found: Wide }>
  condition(names: Names, folded: string): Expression<SqlBool>
}

/** Differences between the dialects. */
export type Quirks = {
  readonly dialect: 'sqlite' | 'postgres' | 'mysql'
  builder(names: Names): Builder
  /** Takes the feed row lock, advances its head by this many positions, and returns the new head. */
  bump(builder: Builder, by: number): Steps<{ readonly head: number; readonly floor: number }>
  /** Compiles `find` once; the returned function only inserts the IDs. */
  finder(builder: Builder): (ids: readonly string[]) => CompiledQuery<TokenRow>
  /** Whether the case-folded name contains this literal text. */
  nameContains(folded: string): Expression<SqlBool>
  /**
   * Finds tokens by part of their name through an index of three-letter pieces, if there is one.
   *
   * Returns how many there are, counted up to a bound, and the condition that uses the index.
   */
  readonly nameIndex?: NameIndex
  /**
   * Returns a query that checks whether the index on names exists, for servers that use it without a hint. Its result is one row with the column `found`,
   * which is 0 if the index could not be created.
   */
  nameIndexes?(names: Names): CompiledQuery<{ readonly found: Wide }>
  /** Makes statements wait for a lock only very briefly. Absent: there is one writer at a time. */
  readonly shortWait?: Wait
  /** Makes statements wait for a lock for at most a second. Absent: there is one writer at a time. */
  readonly longerWait?: Wait
  /** Whether this error of `for update nowait` means that another transaction holds a lock on one of the rows. Absent: there is one writer at a time. */
  isHeld?(error: unknown): boolean
  /** Makes a select or an update find rows by their IDs alone. Absent: it does so anyway. */
  byKey?<R>(query: CompiledQuery<R>): CompiledQuery<R>
  /** Whether a `with` clause can contain an update. */
  readonly updatesInWith?: true
  /** Whether a statement can step through the groups of an index, but not seek by a value that it has just found. */
  readonly stepsByGroup?: true
  /**
   * Returns a query that turns a JSON list of objects into rows. The list is its only parameter, so one text fits any number of rows. If absent, each
   * value has a placeholder.
   */
  fromJson?(columns: { readonly [column: string]: 'text' | 'bigint' }): string
  /** Whether this column may contain more text than a driver reads. Absent if drivers always read all of it. */
  isCut?(column: string): string
  /** `$1` or `?`. */
  placeholder(position: number): string
  /** Returns the inserted value, for use after `onClash`. */
  incoming(column: string): string
  /** Returns the action for a row whose key already exists. */
  onClash(keys: readonly string[], assignments: string): string
  /** The time on the database's clock, in seconds. It is used only to find rows that have been unused for a long time. */
  readonly seconds: string
  /** How a transaction begins. */
  readonly begin: readonly string[]
  /** The lock that keeps two processes from upgrading the schema at the same time. */
  migrationLock(names: Names): MigrationLock
  /** Notifies the subscribers of a commit, within its transaction. */
  announce?(names: Names): CompiledQuery
  /** Classifies an error that a driver threw. */
  faultOf(error: unknown): Fault
  /** Returns the quoted name of a table. */
  table(names: Names, table: keyof Tables | 'migrations'): string
  migrations(names: Names): readonly Migration[]
  /** Reads the information that the server reports about itself. */
  diagnose(): Steps<StoreDiagnosis>
}
