import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Libsql from 'libsql'
import { onTestFinished } from 'vitest'
import type { TokenStore } from '../../../src/store/port.js'
import { service } from '../../support/services.js'
import { ownDatabase, ownFolder, ownSchema } from './databases.js'

/** A store, and direct SQL access to its database. */
export type OwnStore = { readonly store: TokenStore; query(text: string): Promise<readonly Record<string, unknown>[]> }

/** A kind of SQL store, or the reason why it is skipped. Everything that `open` opens is closed when the test ends. */
export type SqlKind = { readonly kind: string; readonly skip: string | undefined; open(): Promise<OwnStore> }

const kept = (store: TokenStore): TokenStore => {
  onTestFinished(() => store.close?.())
  return store
}

/** Every kind of SQL store, each set up in a new database. */
export const sqlStores = async (): Promise<readonly SqlKind[]> => {
  const [postgres, mysql] = await Promise.all([service('postgres'), service('mysql')])
  return [
    {
      kind: 'sqlite',
      skip: undefined,
      async open() {
        const folder = await ownFolder()
        onTestFinished(() => folder.remove())
        const path = folder.path('tokens.db')
        const store = kept(sqliteStore(path))
        await store.migrate?.()
        const database = new Libsql(path)
        onTestFinished(() => void database.close())
        return {
          store,
          async query(text) {
            const statement = database.prepare(text)
            if (statement.reader) return statement.all() as Record<string, unknown>[]
            statement.run()
            return []
          },
        }
      },
    },
    {
      kind: 'postgres',
      skip: postgres.skip,
      async open() {
        const { url, schema, query, remove } = await ownSchema(postgres.url ?? '')
        onTestFinished(remove)
        const store = kept(postgresStore({ url, schema }))
        await store.migrate?.()
        return { store, query }
      },
    },
    {
      kind: 'mysql',
      skip: mysql.skip,
      async open() {
        const { url, query, remove } = await ownDatabase(mysql.url ?? '')
        onTestFinished(remove)
        const store = kept(mysqlStore({ url }))
        await store.migrate?.()
        return { store, query }
      },
    },
  ]
}
