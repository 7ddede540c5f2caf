import { memoryStore } from 'latchkey/stores/memory'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { onTestFinished } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from './redis.js'
import { service } from './services.js'

/** Opens one more store on the same data, as another node does. */
export type OpenStore = () => TokenStore

/** A kind of store that a test can have for itself, or why it is skipped. */
export type StoreKind = { readonly kind: string; readonly skip: string | undefined; place(): Promise<OpenStore> }

/** Every kind of store that the library has. Places are removed when the test ends. */
export async function everyStore(): Promise<readonly StoreKind[]> {
  const [postgres, mysql, redis] = await Promise.all([service('postgres'), service('mysql'), service('redis')])
  return [
    {
      kind: 'memory',
      skip: undefined,
      place: async () => {
        const store = memoryStore()
        return () => store
      },
    },
    {
      kind: 'sqlite',
      skip: undefined,
      place: async () => {
        const folder = await ownFolder()
        onTestFinished(() => folder.remove())
        return () => sqliteStore(folder.path('tokens.db'))
      },
    },
    {
      kind: 'postgres',
      skip: postgres.skip,
      place: async () => {
        const { url, schema, remove } = await ownSchema(postgres.url ?? '')
        onTestFinished(remove)
        return () => postgresStore({ url, schema })
      },
    },
    {
      kind: 'mysql',
      skip: mysql.skip,
      place: async () => {
        const { url, remove } = await ownDatabase(mysql.url ?? '')
        onTestFinished(remove)
        return () => mysqlStore({ url })
      },
    },
    {
      kind: 'redis',
      skip: redis.skip,
      place: async () => {
        const url = redis.url ?? ''
        const keyPrefix = newKeyPrefix()
        onTestFinished(() => withRedis(url, (client) => removeKeys(client, keyPrefix)))
        return () => redisStore({ url, keyPrefix, onWarning: () => {} })
      },
    },
  ]
}
