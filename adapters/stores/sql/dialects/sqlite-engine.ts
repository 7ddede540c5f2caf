import type { CompiledQuery, QueryResult } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import { askRaw, driveSync, type Engine, type Steps } from '../engine.js'
import { sleep } from '../retry.js'
import { isUpToDate, migrationSteps } from '../schema/migrate.js'
import type { Names } from '../schema/table-names.js'
import { onlyReads, type SqliteHandle } from './sqlite-handle.js'
import { HELD, isBusy, isWithin, LOCKED, sqliteQuirks } from './sqlite-quirks.js'

/** A migration by another process may take longer than a write. */
const MIGRATION_BUSY_MS = 30_000

/** Runs the work now. While another process has the file locked, retries after short sleeps, which do not block the event loop. */
const patiently = <T>(busyMs: number, work: () => T): T | Promise<T> => {
  try {
    return work()
  } catch (error) {
    if (!isBusy(error)) throw error
    return retry(busyMs, work)
  }
}

const retry = async <T>(busyMs: number, work: () => T): Promise<T> => {
  const start = performance.now()
  for (let pause = 1; ; pause = Math.min(pause * 2, 25)) {
    await sleep(pause * (0.5 + Math.random()))
    try {
      return work()
    } catch (error) {
      if (!isBusy(error)) throw error
      if (performance.now() - start > busyMs) {
        const [held, remedy] = isWithin(error)
          ? [HELD, 'end it before you await anything else']
          : [LOCKED, 'find the process that keeps a transaction open']
        throw new StoreUnavailableError(`sqlite store: ${held} for more than ${busyMs} ms: ${remedy}`)
      }
    }
  }
}

/** Runs steps on a synchronous handle: a transaction begins and ends within one turn of the event loop. */
export const sqliteEngine = (handle: SqliteHandle, names: Names, options: { readonly busyMs: number; readonly owned: boolean }): Engine => {
  const atOnce = <T>(steps: () => Steps<T>): T => {
    // If the host's open transaction has an old snapshot, BEGIN would report a lock of another process instead.
    if (!options.owned) handle.refuseWithin()
    // IMMEDIATE takes the write lock first, because a transaction that began with a read could no longer get the lock once another transaction had written.
    handle.exec('begin immediate')
    try {
      const result = driveSync(steps(), (query) => handle.run(query))
      handle.exec('commit')
      return result
    } catch (error) {
      try {
        handle.exec('rollback')
      } catch {
        // SQLite already rolled back on its own, for example because the disk is full.
      }
      throw error
    }
  }
  // A read in the host's transaction could see an old snapshot or uncommitted changes.
  const read = <R>(query: CompiledQuery<R>): QueryResult<R> => {
    if (!options.owned) handle.refuseWithin()
    return handle.run(query)
  }
  // A single write also takes its lock with BEGIN, because a prepared statement that is refused the lock would pin the handle's reads to an old snapshot.
  const runOne = <R>(query: CompiledQuery<R>): QueryResult<R> => (onlyReads(query.sql) ? read(query) : atOnce(() => askRaw(query)))
  return {
    run: <R>(query: CompiledQuery<R>) => patiently(options.busyMs, (): QueryResult<R> => runOne(query)),
    find: (query: CompiledQuery) => patiently(options.busyMs, () => read(query).rows),
    transaction: <T>(steps: () => Steps<T>) => patiently(options.busyMs, () => atOnce(steps)),
    async migrate(): Promise<void> {
      try {
        if (driveSync(isUpToDate(sqliteQuirks, names), (query) => handle.run(query))) return
      } catch (error) {
        if (sqliteQuirks.faultOf(error) !== 'tables_missing' && !isBusy(error)) throw error
      }
      await patiently(MIGRATION_BUSY_MS, () => atOnce(() => migrationSteps(sqliteQuirks, names)))
    },
    close(): void {
      if (options.owned) handle.close()
    },
  }
}

/** Configures a file that this store opened itself. */
export const setPragmas = async (handle: SqliteHandle, pragmas: readonly string[]): Promise<void> => {
  for (const pragma of pragmas) await patiently(MIGRATION_BUSY_MS, () => handle.exec(pragma))
}
