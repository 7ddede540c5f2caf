import { findDriver, type SqliteDriver } from '../../../adapters/stores/sql/dialects/sqlite-open.js'

/** The drivers on this machine: `libsql` everywhere, `node:sqlite` on Node 22.13 and newer, `better-sqlite3` if it is installed. */
export const availableDrivers = async (): Promise<readonly SqliteDriver[]> => {
  const found: SqliteDriver[] = []
  for (const driver of ['node:sqlite', 'libsql', 'better-sqlite3'] as const) {
    if (await findDriver(driver).catch(() => undefined)) found.push(driver)
  }
  return found
}
