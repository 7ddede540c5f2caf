import type { CompiledQuery, Expression, Kysely, SqlBool } from 'kysely'
import type { StoreDiagnosis } from '../../../src/store/diagnosis.js'
import type { Steps } from './engine.js'
import type { Tables } from './schema/schema.js'
import type { Names } from './schema/table-names.js'
import type { TokenRow, Wide } from './schema/token-columns.js'

/** The builder of queries: it compiles, and runs nothing. */
export type Builder = Kysely<Tables>

/** Kinds of driver faults, as far as they decide what happens next. */
export type Fault =
  /** A row with this key is there already. */
  | 'duplicate'
  /** Another transaction was in the way: the same work will succeed when it is done again. */
  | 'contention'
  /** The connection is gone or was never made. */
  | 'connection'
  /** TLS was refused, is demanded, or the certificate is not to be trusted. */
  | 'encryption'
  | 'authentication'
  | 'tables_missing'
  | 'database_missing'
  | 'read_only'
  | 'full'
  | 'locked'
  | 'permission'
  | 'damaged'
  | 'driver_missing'
  | 'closed'
  | 'unknown'

/** One versioned upgrade of the schema. Each statement can be run again after a process died half-way. */
export type Migration = {
  readonly version: number
  readonly name: string
  readonly statements: readonly string[]
  /** Statements behind the others that may fail in ways that do no harm; the rest of them is left out then. */
  readonly optional?: { readonly statements: readonly string[]; forgives(error: unknown): boolean }
}

/** How the upgrade of a schema is guarded: in one transaction, or by a lock that is taken and released on one connection. */
type MigrationLock = { readonly transactional: boolean; readonly take?: CompiledQuery; readonly release?: CompiledQuery }

/** An index over the pieces of names. */
type NameIndex = {
  /** How many names hold this text, counted up to `most`: a query with one row and the column `found`. */
  count(names: Names, folded: string, most: number): CompiledQuery<{ readonly found: Wide }>
  condition(names: Names, folded: string): Expression<SqlBool>
}

/** Differences between the dialects. */
export type Quirks = {
  readonly dialect: 'sqlite' | 'postgres' | 'mysql'
  builder(names: Names): Builder
  /** Takes the row lock of the feed, moves its head on by so many places, and answers the new head. */
  bump(builder: Builder, by: number): Steps<{ readonly head: number; readonly floor: number }>
  /** Compiles `find` once; the function only puts the ids in. */
  finder(builder: Builder): (ids: readonly string[]) => CompiledQuery<TokenRow>
  /** Is this text part of the folded name? Taken literally. */
  nameContains(folded: string): Expression<SqlBool>
  /**
   * Finds tokens by a part of their name through an index of three-letter pieces, where there is one.
   *
   * Answers how many there are, counted up to a bound, and the condition that uses the index.
   */
  readonly nameIndex?: NameIndex
  /** Does an update by an index wait for rows that a transaction has inserted and not committed? One by primary keys never does. */
  readonly waitsForInserts?: true
  /** The rows of a JSON list of objects, its only parameter: one text for any number of rows. Absent: a placeholder for each value. */
  fromJson?(columns: { readonly [column: string]: 'text' | 'bigint' }): string
  /** `$1` or `?`. */
  placeholder(position: number): string
  /** The value that an insert brought along, in what follows `onClash`. */
  incoming(column: string): string
  /** How to treat a row whose key already exists. */
  onClash(keys: readonly string[], assignments: string): string
  /** The whole seconds of the database's own clock. It decides nothing but which rows have long been left alone. */
  readonly seconds: string
  /** How a transaction begins. */
  readonly begin: readonly string[]
  /** The lock that keeps two processes from upgrading the schema at once. */
  migrationLock(names: Names): MigrationLock
  /** After a commit, in its transaction: tells the subscribers. */
  announce?(names: Names): CompiledQuery
  /** Reads what a driver threw. */
  faultOf(error: unknown): Fault
  /** The quoted name of a table. */
  table(names: Names, table: keyof Tables | 'migrations'): string
  migrations(names: Names): readonly Migration[]
  /** Reads what the server says about itself. */
  diagnose(): Steps<StoreDiagnosis>
}
