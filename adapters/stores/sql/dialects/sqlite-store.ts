import { unavailable } from '../faults.js'
import type { KyselyHandle } from '../kysely-engine.js'
import { kyselyEngine } from '../kysely-engine.js'
import type { Opened } from '../lazy.js'
import type { Names } from '../schema/table-names.js'
import { openStore } from '../store.js'
import { setPragmas, sqliteEngine } from './sqlite-engine.js'
import { type NodeDatabase, type SyncDatabase, sqliteHandle } from './sqlite-handle.js'
import { openSqlite, SQLITE_PRAGMAS, type SqliteDriver } from './sqlite-open.js'
import { sqliteQuirks } from './sqlite-quirks.js'

/** What to open: a path, or what the host has open. */
type SqliteSource =
  | { readonly path: string; readonly driver?: SqliteDriver }
  | { readonly database: SyncDatabase | NodeDatabase | KyselyHandle }

const report = (error: unknown): Error => unavailable('sqlite', sqliteQuirks.faultOf, error)

/** Opens the store: the part that needs Kysely and a driver. */
export const openSqliteStore = async (source: SqliteSource, names: Names, busyMs: number): Promise<Opened> => {
  if ('path' in source) {
    try {
      const handle = await openSqlite(source.path, source.driver)
      try {
        await setPragmas(handle, SQLITE_PRAGMAS)
      } catch (error) {
        handle.close()
        throw error
      }
      return { store: openStore(sqliteEngine(handle, names, { busyMs, owned: true }), sqliteQuirks, names), unavailable: report }
    } catch (error) {
      throw report(error)
    }
  }
  const { database } = source
  const engine =
    'executeQuery' in database
      ? kyselyEngine(database, sqliteQuirks, names, {})
      : sqliteEngine(sqliteHandle(database), names, { busyMs, owned: false })
  return { store: openStore(engine, sqliteQuirks, names), unavailable: report }
}
