import type { CompiledQuery, QueryResult } from 'kysely'
import type { MaybePromise } from '../../../src/model/json.js'

/**
 * The statements of a unit of work. They are yielded one at a time, and each yield returns the statement's result.
 *
 * A synchronous driver (SQLite) runs a whole transaction without yielding the thread, so no other work of this process runs between two statements. An
 * asynchronous driver (a pool) awaits each of them.
 */
export type Steps<T> = Generator<CompiledQuery, T, QueryResult<unknown>>

/** Runs compiled queries, and transactions made of steps. */
export interface Engine {
  run<R>(query: CompiledQuery<R>): MaybePromise<QueryResult<R>>
  /** Runs all of the steps or none: an exception rolls back and is rethrown. After a deadlock the steps may restart. */
  transaction<T>(steps: () => Steps<T>): MaybePromise<T>
  /** Like `transaction`, for work that takes seconds: if it restarts, other transactions do not wait for it. */
  longTransaction?<T>(steps: () => Steps<T>): MaybePromise<T>
  /** Like `run`, for the one query that must be fast: reading tokens by their IDs. */
  find?(query: CompiledQuery): MaybePromise<readonly unknown[]>
  /** Like `run`, for reads of many rows. They must always leave a connection for changes. */
  read?<R>(query: CompiledQuery<R>): MaybePromise<QueryResult<R>>
  /** Like `run`, for the short statements that follow the feed. They must not pile up when a server hangs. */
  feed?<R>(query: CompiledQuery<R>): MaybePromise<QueryResult<R>>
  /** Creates or upgrades the tables under the server's own lock. */
  migrate(): MaybePromise<void>
  /** Called soon after another connection changes something. */
  subscribe?(wake: () => void, lost?: (error: unknown) => void): Promise<() => Promise<void>>
  close(): MaybePromise<void>
}

/** Yields one query, and types its result accordingly. */
export function* ask<R>(query: { compile(): CompiledQuery<R> }): Steps<QueryResult<R>> {
  return (yield query.compile()) as QueryResult<R>
}

/** Like `ask`, for a compiled query. */
export function* askRaw<R>(query: CompiledQuery<R>): Steps<QueryResult<R>> {
  return (yield query) as QueryResult<R>
}

/** Returns how many rows a statement inserted, changed or removed. */
export const affected = (result: QueryResult<unknown>): number => Number(result.numAffectedRows ?? 0n)

/** Thrown inside steps to roll back: another writer was first. */
export class ConflictSignal extends Error {
  readonly conflict: string

  constructor(conflict: string) {
    super('conflict')
    this.conflict = conflict
  }
}

/** Thrown inside steps to roll back: the change would exceed this cap. */
export class CapSignal extends Error {
  readonly exceeded: number

  constructor(exceeded: number) {
    super('exceeded')
    this.exceeded = exceeded
  }
}

/** Thrown inside steps to roll back: another transaction holds a lock on one of the tokens. */
export class HeldSignal extends Error {
  constructor() {
    super('held')
  }
}

/** Drives steps with a synchronous function. An error that it throws is rethrown where the step was yielded. */
export const driveSync = <T>(steps: Steps<T>, run: (query: CompiledQuery) => QueryResult<unknown>): T => {
  let turn = steps.next()
  while (!turn.done) {
    let result: QueryResult<unknown>
    try {
      result = run(turn.value)
    } catch (error) {
      turn = steps.throw(error)
      continue
    }
    turn = steps.next(result)
  }
  return turn.value
}

/** Drives steps with an asynchronous function. */
export const driveAsync = async <T>(steps: Steps<T>, run: (query: CompiledQuery) => Promise<QueryResult<unknown>>): Promise<T> => {
  let turn = steps.next()
  while (!turn.done) {
    let result: QueryResult<unknown>
    try {
      result = await run(turn.value)
    } catch (error) {
      turn = steps.throw(error)
      continue
    }
    turn = steps.next(result)
  }
  return turn.value
}
