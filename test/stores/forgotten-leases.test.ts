import { Redis } from 'ioredis'
import { redisStore } from 'latchkey/stores/redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'
import { sqlStores } from './sql/own-stores.js'

/** A store, and a function that lets an hour pass before the store looks for old leases again. */
type Opened = { readonly store: TokenStore; passHour(): unknown }
type Kind = { readonly kind: string; readonly skip: string | undefined; open(): Promise<Opened> }

const HOUR_PASSES = 'update latchkey_leases set looked_at = looked_at - 3601'

const redis = await service('redis')
const onRedis = async (): Promise<Opened> => {
  const url = redis.url ?? ''
  const admin = new Redis(url)
  const keyPrefix = newKeyPrefix()
  onTestFinished(async () => {
    await removeKeys(admin, keyPrefix)
    admin.disconnect()
  })
  const store = redisStore({ url, keyPrefix, onWarning: () => {} })
  onTestFinished(() => store.close?.())
  return { store, passHour: () => admin.del(`${keyPrefix}leases:looked`) }
}

const onSql = (await sqlStores()).map(({ open, ...rest }): Kind => {
  const opened = async (): Promise<Opened> => {
    const { store, query } = await open()
    return { store, passHour: () => query(HOUR_PASSES) }
  }
  return { ...rest, open: opened }
})
const kinds: readonly Kind[] = [...onSql, { kind: 'redis', skip: redis.skip, open: onRedis }]

for (const { kind, skip, open } of kinds) {
  describe.skipIf(skip)(`leases of the ${kind} store ${skip ?? ''}`, () => {
    it('forgets leases a day after their nodes stopped, released or not, and never while nodes renew them', async () => {
      const { store, passHour } = await open()
      const nodes = async (): Promise<string[]> => (await store.leases(-1)).map(({ nodeId }) => nodeId)
      const { cursor } = await store.changes(undefined, 1)
      // The killed node's clock was years ahead; the running node's clock is near the epoch.
      await store.renewLease({ nodeId: 'killed', cursor, expiresAt: 4e12 })
      await store.renewLease({ nodeId: 'released', cursor, expiresAt: 0 })
      await store.renewLease({ nodeId: 'running', cursor, expiresAt: 64 })
      for (let hour = 1; hour <= 30; hour += 1) {
        await passHour()
        await store.renewLease({ nodeId: 'other', cursor, expiresAt: 640 })
        const stopped = hour < 22 ? ['killed', 'released'] : []
        if (hour < 22 || hour > 26)
          expect((await nodes()).toSorted(), `after ${hour} hours`).toEqual(['other', 'running', ...stopped].toSorted())
        await store.renewLease({ nodeId: 'running', cursor, expiresAt: 64 })
      }
    })
  })
}
