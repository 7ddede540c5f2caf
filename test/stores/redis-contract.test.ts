import { Redis } from 'ioredis'
import { redisStore } from 'latchkey/stores/redis'
import { storeContract } from 'latchkey/testing'
import { createClient } from 'redis'
import { afterAll, describe, it } from 'vitest'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')

/** Drops the feed's history as a long feed's is dropped: the floor rises to the last entry that is gone. */
async function trimFeed(client: Redis, keyPrefix: string): Promise<void> {
  const head = await client.get(`${keyPrefix}feed:head`)
  if (head !== null) await client.multi().del(`${keyPrefix}feed`).set(`${keyPrefix}feed:floor`, head).exec()
}

describe.skipIf(redis.skip)(`redis ${redis.skip ?? ''}`, () => {
  const url = redis.url ?? ''
  const admin = new Redis(url, { lazyConnect: true })
  const onWarning = (): void => {}
  afterAll(() => admin.disconnect())

  storeContract(
    { describe, it },
    {
      name: 'redis with its own connection',
      create() {
        const keyPrefix = newKeyPrefix()
        const open = () => redisStore({ url, keyPrefix, onWarning })
        return {
          store: open(),
          second: open(),
          reopen: open,
          trimFeed: () => trimFeed(admin, keyPrefix),
          dispose: () => removeKeys(admin, keyPrefix),
        }
      },
    },
  )

  const ioredis = new Redis(url, { lazyConnect: true })
  afterAll(() => ioredis.disconnect())
  storeContract(
    { describe, it },
    {
      name: 'redis with an ioredis client of the host',
      create() {
        const keyPrefix = newKeyPrefix()
        const open = () => redisStore({ client: ioredis, keyPrefix, onWarning })
        return {
          store: open(),
          second: open(),
          reopen: open,
          trimFeed: () => trimFeed(admin, keyPrefix),
          dispose: () => removeKeys(admin, keyPrefix),
        }
      },
    },
  )

  const nodeRedis = createClient({ url })
  afterAll(() => nodeRedis.isOpen && nodeRedis.destroy())
  storeContract(
    { describe, it },
    {
      name: 'redis with a node-redis client of the host',
      async create() {
        if (!nodeRedis.isOpen) await nodeRedis.connect()
        const keyPrefix = newKeyPrefix()
        const open = () => redisStore({ client: nodeRedis, keyPrefix, onWarning })
        return {
          store: open(),
          second: open(),
          reopen: open,
          trimFeed: () => trimFeed(admin, keyPrefix),
          dispose: () => removeKeys(admin, keyPrefix),
        }
      },
    },
  )
})
