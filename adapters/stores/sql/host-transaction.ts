import type { CompiledQuery, QueryResult } from 'kysely'
import type { MaybePromise } from '../../../src/model/json.js'
import { hasMethods } from '../lib/has-methods.js'
import { driveAsync, type Steps } from './engine.js'
import type { KyselyHandle } from './kysely-engine.js'

/** A transaction that the host began and will end. */
export type HostTransaction = {
  /** The object that identifies its connection. Two units of work on one connection must not interleave. */
  readonly connection: object
  drive<T>(steps: Steps<T>): MaybePromise<T>
}

/** How a dialect works inside the host's transaction. */
export type HostAccess = {
  /** Reads the object that the host passed. Returns `undefined` if it does not belong to this dialect. */
  read(given: object): HostTransaction | undefined
  /** Opens the savepoint. Throws `NotOpen` if no transaction is open. */
  enter(): Steps<void>
  /** Throws if the connection changes the values that pass through it. */
  check(): Steps<void>
}

/** The name of the savepoint. Each unit of work sets it, and releases it at the end. */
export const SAVEPOINT = 'latchkey_addition'

/** Thrown inside steps: no transaction is open, or it is aborted. */
export class NotOpen extends Error {}

/** Creates a transaction with asynchronous statements. */
export const laterTransaction = (connection: object, run: (query: CompiledQuery) => Promise<QueryResult<unknown>>): HostTransaction => ({
  connection,
  drive: (steps) => driveAsync(steps, run),
})

/** Accepts a Kysely transaction of any dialect. Returns `undefined` for anything else. */
export const kyselyTransaction = (given: object): HostTransaction | undefined => {
  if (Reflect.get(given, 'isTransaction') !== true || !hasMethods(given, ['executeQuery', 'withoutPlugins'])) return undefined
  // The host's plugins would change our rows too.
  const db = (given as KyselyHandle).withoutPlugins()
  return laterTransaction(given, (query) => db.executeQuery(query))
}
