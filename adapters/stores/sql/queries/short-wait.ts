import { CompiledQuery } from 'kysely'
import type { Sql } from '../context.js'
import { HeldSignal, type Steps } from '../engine.js'
import type { Wait } from '../quirks.js'

/**
 * Runs statements that may wait for another transaction, such as one of the host. They wait only as long as `wait` allows, because other callers need the
 * connection. The caller then starts over.
 */
export function* waitFor({ quirks }: Sql, wait: Wait | undefined, work: () => Steps<void>): Steps<void> {
  if (wait === undefined) return yield* work()
  yield CompiledQuery.raw(wait.begin)
  let failure: unknown
  try {
    yield* work()
  } catch (error) {
    failure = error ?? new Error('the statement failed')
  }
  if (failure === undefined || wait.ofSession) yield CompiledQuery.raw(wait.end)
  if (failure !== undefined) throw quirks.isHeld?.(failure) ? new HeldSignal() : failure
}

/** Runs statements that wait for a lock only very briefly. */
export function* waitBriefly(sql: Sql, work: () => Steps<void>): Steps<void> {
  yield* waitFor(sql, sql.quirks.shortWait, work)
}
