import type { CompiledQuery, QueryResult } from 'kysely'
import type { MaybePromise } from '../../../src/model/json.js'

/**
 * The statements of a piece of work, one yielded at a time, each answered with its result.
 *
 * A driver that answers at once (SQLite) runs a whole transaction without giving up the thread, so that nothing of this process
 * comes between two statements; a driver that answers later (a pool) awaits each of them.
 */
export type Steps<T> = Generator<CompiledQuery, T, QueryResult<unknown>>

/** Runs compiled queries, and transactions made of steps. */
export interface Engine {
  run<R>(query: CompiledQuery<R>): MaybePromise<QueryResult<R>>
  /** All of the steps, or none: an exception rolls back and comes out. Steps may be started anew after a deadlock. */
  transaction<T>(steps: () => Steps<T>): MaybePromise<T>
  /** As `run`, for the one query that must be fast: reading tokens by their ids. */
  find?(query: CompiledQuery): MaybePromise<readonly unknown[]>
  /** As `run`, for what follows the feed all the time: brief statements, which a server that hangs must not make many of. */
  feed?<R>(query: CompiledQuery<R>): MaybePromise<QueryResult<R>>
  /** Creates or upgrades the tables under the server's own lock. */
  migrate(): MaybePromise<void>
  /** Told soon after another connection has changed something. */
  subscribe?(wake: () => void, lost?: (error: unknown) => void): Promise<() => Promise<void>>
  close(): MaybePromise<void>
}

/** Yields one query and gives its result the query's type. */
export function* ask<R>(query: { compile(): CompiledQuery<R> }): Steps<QueryResult<R>> {
  return (yield query.compile()) as QueryResult<R>
}

/** As `ask`, for a query that is compiled already. */
export function* askRaw<R>(query: CompiledQuery<R>): Steps<QueryResult<R>> {
  return (yield query) as QueryResult<R>
}

/** How many rows a statement inserted, changed or removed. */
export const affected = (result: QueryResult<unknown>): number => Number(result.numAffectedRows ?? 0n)

/** Thrown inside steps to roll back: another writer was there first. */
export class ConflictSignal extends Error {
  readonly conflict: string

  constructor(conflict: string) {
    super('conflict')
    this.conflict = conflict
  }
}

/** Thrown inside steps to roll back: this cap would not hold. */
export class CapSignal extends Error {
  readonly exceeded: number

  constructor(exceeded: number) {
    super('exceeded')
    this.exceeded = exceeded
  }
}

/** Drives steps with a function that answers at once. What it throws is thrown where the step was yielded. */
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

/** Drives steps with a function that answers later. */
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
