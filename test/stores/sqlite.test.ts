import { sqliteStore } from 'latchkey/stores/sqlite'
import { storeContract } from 'latchkey/testing'
import { describe, it } from 'vitest'
import { findDriver, type SqliteDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder, TRIM } from './sql/databases.js'

const drivers: readonly SqliteDriver[] = ['node:sqlite', 'libsql', 'better-sqlite3']

const loads = async (driver: SqliteDriver): Promise<boolean> => {
  try {
    await findDriver(driver)
    return true
  } catch {
    return false
  }
}

// libsql is a development dependency; the other drivers are tested if Node or the machine has them.
for (const driver of drivers) {
  if (driver !== 'libsql' && !(await loads(driver))) continue
  storeContract(
    { describe, it },
    {
      name: `sqlite through ${driver}`,
      async create() {
        const folder = await ownFolder()
        const open = () => sqliteStore({ path: folder.path('tokens.db'), driver })
        return {
          store: open(),
          second: open(),
          reopen: open,
          async trimFeed() {
            const Driver = await findDriver(driver)
            const database = new Driver(folder.path('tokens.db'))
            for (const statement of TRIM) database.exec(statement)
            database.close()
          },
          async beginTransaction() {
            const Driver = await findDriver(driver)
            const transaction = new Driver(folder.path('tokens.db'))
            transaction.exec('begin immediate')
            const end = (how: string) => () => {
              transaction.exec(how)
              transaction.close()
            }
            return { transaction, commit: end('commit'), rollback: end('rollback') }
          },
          dispose: folder.remove,
        }
      },
    },
  )
}
