import type { CompiledQuery, QueryResult } from 'kysely'
import type { MaybePromise } from '../../../src/model/json.js'
import { hasMethods } from '../lib/has-methods.js'
import { driveAsync, type Steps } from './engine.js'
import type { KyselyHandle } from './kysely-engine.js'

/** A transaction that the host began, and will end. */
export type HostTransaction = {
  /** The object that stands for its connection: two pieces of work on one must not mix. */
  readonly connection: object
  drive<T>(steps: Steps<T>): MaybePromise<T>
}

/** How a dialect works inside a transaction of the host's. */
export type HostAccess = {
  /** Reads what the host gave; `undefined` where it is none of this dialect's. */
  read(given: object): HostTransaction | undefined
  /** Opens the savepoint. Throws `NotOpen` where there is no open transaction. */
  enter(): Steps<void>
  /** Throws where the connection changes what goes through it. */
  check(): Steps<void>
}

/** The savepoint. It is taken and given back within one piece of work. */
export const SAVEPOINT = 'latchkey_addition'

/** Thrown inside steps: no transaction is open, or it is aborted. */
export class NotOpen extends Error {}

/** A transaction whose statements are answered later. */
export const laterTransaction = (connection: object, run: (query: CompiledQuery) => Promise<QueryResult<unknown>>): HostTransaction => ({
  connection,
  drive: (steps) => driveAsync(steps, run),
})

/** A transaction of Kysely, of whatever dialect. */
export const kyselyTransaction = (given: object): HostTransaction | undefined => {
  if (Reflect.get(given, 'isTransaction') !== true || !hasMethods(given, ['executeQuery', 'withoutPlugins'])) return undefined
  // A plugin of the host's would change our rows too.
  const db = (given as KyselyHandle).withoutPlugins()
  return laterTransaction(given, (query) => db.executeQuery(query))
}
