import { Redis } from 'ioredis'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Libsql from 'libsql'
import { afterEach, describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'
import { ownDatabase, ownFolder, ownSchema } from './sql/databases.js'

const servers = { postgres: await service('postgres'), mysql: await service('mysql'), redis: await service('redis') }

/** A store, and how the hour between two looks at its leases passes. */
type World = { readonly store: TokenStore; passHour(): unknown }

const HOUR_PASSES = 'update latchkey_leases set looked_at = looked_at - 3601'
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const kept = (store: TokenStore): TokenStore => {
  cleanups.push(() => store.close?.())
  return store
}

const worlds: Record<string, () => Promise<World>> = {
  async sqlite() {
    const folder = await ownFolder()
    const path = folder.path('tokens.db')
    cleanups.push(() => folder.remove())
    const store = kept(sqliteStore(path))
    await store.migrate?.()
    const database = new Libsql(path)
    cleanups.push(() => database.close())
    return { store, passHour: () => database.exec(HOUR_PASSES) }
  },
  async postgres() {
    const place = await ownSchema(servers.postgres.url ?? '')
    cleanups.push(() => place.remove())
    return { store: kept(postgresStore({ url: place.url, schema: place.schema })), passHour: () => place.query(HOUR_PASSES) }
  },
  async mysql() {
    const place = await ownDatabase(servers.mysql.url ?? '')
    cleanups.push(() => place.remove())
    return { store: kept(mysqlStore({ url: place.url })), passHour: () => place.query(HOUR_PASSES) }
  },
  async redis() {
    const url = servers.redis.url ?? ''
    const admin = new Redis(url)
    const keyPrefix = newKeyPrefix()
    cleanups.push(async () => {
      await removeKeys(admin, keyPrefix)
      admin.disconnect()
    })
    return { store: kept(redisStore({ url, keyPrefix, onWarning: () => {} })), passHour: () => admin.del(`${keyPrefix}leases:looked`) }
  },
}

for (const [name, create] of Object.entries(worlds)) {
  const { skip } = (servers as Record<string, { skip?: string | undefined }>)[name] ?? {}
  describe.skipIf(skip)(`leases of the ${name} store ${skip ?? ''}`, () => {
    it('are forgotten a day after their nodes stopped, released or not, and never while they are renewed', async () => {
      const { store, passHour } = await create()
      await store.migrate?.()
      const nodes = async (): Promise<string[]> => (await store.leases(-1)).map(({ nodeId }) => nodeId)
      const { cursor } = await store.changes(undefined, 1)
      // The clock of the killed one was years ahead, and that of the running one stands at the beginning.
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
