import { CompiledQuery } from 'kysely'
import { hasMethods } from '../../lib/has-methods.js'
import { askRaw, driveSync, type Steps } from '../engine.js'
import { type HostAccess, type HostTransaction, kyselyTransaction, NotOpen, SAVEPOINT } from '../host-transaction.js'
import { differencesOf, refuseDifferences } from '../known-values.js'
import { type NodeDatabase, type SyncDatabase, sqliteHandle } from './sqlite-handle.js'
import { isWithin, KNOWN_VALUES } from './sqlite-quirks.js'

const isDatabase = (given: object): given is SyncDatabase | NodeDatabase => hasMethods(given, ['prepare', 'exec', 'close'])

const transactionOn = (database: SyncDatabase | NodeDatabase): HostTransaction => {
  const handle = sqliteHandle(database)
  // All steps run in one turn of the event loop, so no other work of this process runs in between.
  return { connection: database, drive: (steps) => driveSync(steps, (query) => handle.runLocked(query)) }
}

/** Accepts a Kysely transaction, or a database of any of the drivers with an open transaction. */
export const sqliteHost: HostAccess = {
  read: (given) => kyselyTransaction(given) ?? (isDatabase(given) ? transactionOn(given) : undefined),
  *enter() {
    // A savepoint would begin a transaction if none is open: https://www.sqlite.org/lang_savepoint.html
    let began = true
    try {
      yield CompiledQuery.raw('begin')
    } catch (error) {
      if (!isWithin(error)) throw error
      began = false
    }
    if (began) {
      yield CompiledQuery.raw('rollback')
      throw new NotOpen()
    }
    yield CompiledQuery.raw(`savepoint ${SAVEPOINT}`)
  },
  *check(): Steps<void> {
    const { rows } = yield* askRaw(KNOWN_VALUES)
    refuseDifferences('sqlite', differencesOf(rows))
  },
}
