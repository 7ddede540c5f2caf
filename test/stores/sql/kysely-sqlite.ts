import { SqliteDialect } from 'kysely'
import type { SyncDatabase } from '../../../adapters/stores/sql/dialects/sqlite-handle.js'

/**
 * A Kysely dialect over libsql that hides its driver, because the store refuses Kysely over libsql on a file. Tests can use it: libsql is
 * installed on every machine, and nothing locks the files of these tests.
 */
export const fileDialect = (database: unknown): SqliteDialect => {
  const { prepare, close } = database as SyncDatabase
  const wrapped = {
    prepare: (text: string) => prepare.call(database, text.includes('libsql_vector_idx') ? 'select 1 where 0' : text),
    close: () => close.call(database),
  }
  return new SqliteDialect({ database: wrapped as never })
}
