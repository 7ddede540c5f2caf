import { Redis } from 'ioredis'
import { redisStore } from 'latchkey/stores/redis'
import { storeContract } from 'latchkey/testing'
import { createClient } from 'redis'
import { afterAll, describe, it } from 'vitest'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')

/** Drops the feed's history as the trimming of a long feed does: the floor rises to the last removed entry. */
async function trimFeed(client: Redis, keyPrefix: string): Promise<void> {
  const head = await client.get(`${keyPrefix}feed:head`)
  if (head !== null) await client.multi().del(`${keyPrefix}feed`).set(`${keyPrefix}feed:floor`, head).exec()
}

describe.skipIf(redis.skip)(`Redis ${redis.skip ?? ''}`, () => {
  const url = redis.url ?? ''
  const admin = new Redis(url, { lazyConnect: true })
  const onWarning = (): void => {}
  // One sweep for all cases: scanning for the keys of each case among those of the others would take longer than the cases.
  const run = newKeyPrefix().slice(0, -2)
  let cases = 0
  const nextKeyPrefix = (): string => {
    cases += 1
    return `${run}-${cases}}:`
  }
  afterAll(async () => {
    await removeKeys(admin, run)
    admin.disconnect()
  })

  storeContract(
    { describe, it },
    {
      name: 'redis with its own connection',
      create() {
        const keyPrefix = nextKeyPrefix()
        const open = () => redisStore({ url, keyPrefix, onWarning })
        return {
          store: open(),
          second: open(),
          reopen: open,
          trimFeed: () => trimFeed(admin, keyPrefix),
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
        const keyPrefix = nextKeyPrefix()
        const open = () => redisStore({ client: ioredis, keyPrefix, onWarning })
        return {
          store: open(),
          second: open(),
          reopen: open,
          trimFeed: () => trimFeed(admin, keyPrefix),
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
        const keyPrefix = nextKeyPrefix()
        const open = () => redisStore({ client: nodeRedis, keyPrefix, onWarning })
        return {
          store: open(),
          second: open(),
          reopen: open,
          trimFeed: () => trimFeed(admin, keyPrefix),
        }
      },
    },
  )
})
