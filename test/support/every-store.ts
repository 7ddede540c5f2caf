import { memoryStore } from 'latchkey/stores/memory'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { onTestFinished } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { type Dump, dumpMemory, dumpRedis, dumpSqlite, dumpTables } from './dump.js'
import { newKeyPrefix, removeKeys, withRedis } from './redis.js'
import { service } from './services.js'

/** Opens another store on the same data, as another node does. */
export type OpenStore = (() => TokenStore) & {
  /** Everything in the database. */
  readonly dump: Dump
}

/** A kind of store that a test can use alone, or the reason why it is skipped. */
export type StoreKind = { readonly kind: string; readonly skip: string | undefined; place(): Promise<OpenStore> }

/** Every kind of store in the library. Its data is removed when the test ends. */
export async function everyStore(): Promise<readonly StoreKind[]> {
  const [postgres, mysql, redis] = await Promise.all([service('postgres'), service('mysql'), service('redis')])
  return [
    {
      kind: 'memory',
      skip: undefined,
      place: async () => {
        const store = memoryStore()
        const { cursor } = await store.changes(undefined, 1)
        return Object.assign(() => store, { dump: () => dumpMemory(store, 'acme_test', cursor) })
      },
    },
    {
      kind: 'sqlite',
      skip: undefined,
      place: async () => {
        const folder = await ownFolder()
        onTestFinished(() => folder.remove())
        const path = folder.path('tokens.db')
        return Object.assign(() => sqliteStore(path), { dump: () => dumpSqlite(path) })
      },
    },
    {
      kind: 'postgres',
      skip: postgres.skip,
      place: async () => {
        const { url, schema, query, remove } = await ownSchema(postgres.url ?? '')
        onTestFinished(remove)
        const tables = `select table_name as name from information_schema.tables where table_schema = '${schema}'`
        return Object.assign(() => postgresStore({ url, schema }), { dump: () => dumpTables(query, tables, (name) => `"${name}"`) })
      },
    },
    {
      kind: 'mysql',
      skip: mysql.skip,
      place: async () => {
        const { url, schema, query, remove } = await ownDatabase(mysql.url ?? '')
        onTestFinished(remove)
        const tables = `select table_name as name from information_schema.tables where table_schema = '${schema}'`
        return Object.assign(() => mysqlStore({ url }), { dump: () => dumpTables(query, tables, (name) => `\`${name}\``) })
      },
    },
    {
      kind: 'redis',
      skip: redis.skip,
      place: async () => {
        const url = redis.url ?? ''
        const keyPrefix = newKeyPrefix()
        onTestFinished(() => withRedis(url, (client) => removeKeys(client, keyPrefix)))
        const open = () => redisStore({ url, keyPrefix, onWarning: () => {} })
        return Object.assign(open, { dump: () => withRedis(url, (client) => dumpRedis(client, keyPrefix)) })
      },
    },
  ]
}
