import { SqliteDialect } from 'kysely'
import type { SyncDatabase } from '../../../adapters/stores/sql/dialects/sqlite-handle.js'

/**
 * A dialect of Kysely as over a driver that ends a statement which failed. It is libsql all the same, which is not told: that is there on every machine,
 * and nothing locks the files of the tests that use it.
 */
export const fileDialect = (database: unknown): SqliteDialect => {
  const { prepare, close } = database as SyncDatabase
  const wrapped = {
    prepare: (text: string) => prepare.call(database, text.includes('libsql_vector_idx') ? 'select 1 where 0' : text),
    close: () => close.call(database),
  }
  return new SqliteDialect({ database: wrapped as never })
}
