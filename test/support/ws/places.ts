import { Redis } from 'ioredis'
import type { TokenStore } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { ownFolder, ownSchema } from '../../stores/sql/databases.js'
import { newKeyPrefix, removeKeys } from '../redis.js'
import { service } from '../services.js'

const postgres = await service('postgres')
const redis = await service('redis')

/** Data that several nodes share. `text` returns everything stored, to search it for secrets. */
export type Place = {
  readonly open: () => TokenStore
  readonly text?: () => Promise<string>
  readonly remove: () => Promise<void>
}

/** The stores on which tickets are tested. Each node opens its own store. */
export const places: readonly { readonly name: string; readonly skip: string | undefined; readonly make: () => Promise<Place> }[] = [
  {
    name: 'memory',
    skip: undefined,
    async make() {
      const store = memoryStore()
      return { open: () => store, remove: async () => undefined }
    },
  },
  {
    name: 'sqlite',
    skip: undefined,
    async make() {
      const folder = await ownFolder()
      return { open: () => sqliteStore(folder.path('tokens.db')), remove: folder.remove }
    },
  },
  {
    name: 'postgres',
    skip: postgres.skip,
    async make() {
      const { url, schema, query, remove } = await ownSchema(postgres.url ?? '')
      return {
        open: () => postgresStore({ url, schema }),
        text: async () => JSON.stringify(await query('select * from latchkey_tickets')),
        remove,
      }
    },
  },
  {
    name: 'redis',
    skip: redis.skip,
    async make() {
      const url = redis.url ?? ''
      const keyPrefix = newKeyPrefix()
      const client = new Redis(url)
      return {
        open: () => redisStore({ url, keyPrefix, onWarning: () => undefined }),
        text: async () => JSON.stringify(await client.hgetall(`${keyPrefix}tickets:of:"acme_live"`)),
        async remove() {
          await removeKeys(client, keyPrefix)
          client.disconnect()
        },
      }
    },
  },
]
