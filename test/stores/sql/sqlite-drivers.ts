import { findDriver, type SqliteDriver } from '../../../adapters/stores/sql/dialects/sqlite-open.js'

/** The drivers that this machine has: `libsql` everywhere, `node:sqlite` from Node 22.13 on, `better-sqlite3` where somebody installed it. */
export const availableDrivers = async (): Promise<readonly SqliteDriver[]> => {
  const found: SqliteDriver[] = []
  for (const driver of ['node:sqlite', 'libsql', 'better-sqlite3'] as const) {
    if (await findDriver(driver).catch(() => undefined)) found.push(driver)
  }
  return found
}
