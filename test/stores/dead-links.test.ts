import { latchkey } from 'latchkey'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import * as nodeRedis from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import { ownConnection } from '../../adapters/stores/redis/connection.js'
import { openNodeRedis } from '../../adapters/stores/redis/open.js'
import { scripts } from '../../adapters/stores/redis/scripts.js'
import type { TokenStore } from '../../src/store/port.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { ownDatabase, ownSchema } from './sql/databases.js'
import { proxyBefore } from './sql/proxy.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type Over = { readonly store: TokenStore; readonly waiting?: () => number }

/** Drops every connection of a warm pool at the same time, like a firewall that forgets them: neither side is notified, and new connections work. */
const proveItComesBack = async (url: string, port: number, over: (url: string) => Over): Promise<void> => {
  const proxy = await proxyBefore(url, port)
  const { store, waiting = () => 0 } = over(proxy.url)
  // The proxy must close before the host's pool ends. Otherwise the pool waits for the dead connections to close.
  cleanups.push(() => proxy.close())
  const tokens = latchkey({ prefix: 'acme_test', store, scopes: { 'inventory:read': 'See stock' }, cache: 'fresh', logger: false })
  cleanups.push(() => tokens.close())
  const create = () => tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
  const { token } = await create()
  for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 12 }, () => tokens.system.list({ limit: 1 })))
  proxy.forget()
  // A busy host makes more changes than there are connections.
  const changes = Array.from({ length: 40 }, () => create().catch((error) => error.code))
  const verified = (): Promise<unknown> => Promise.resolve(tokens.verify(token)).then(({ ok }) => ok, String)
  await expect.poll(verified, { interval: 100 }).toBe(true)
  await expect.poll(() => create().then(() => 'created', String), { interval: 100 }).toBe('created')
  expect(await Promise.all(changes)).toContain('store_unavailable')
  expect(waiting()).toBe(0)
}

const LONG = { timeout: 120_000 }

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`Postgres over connections that died silently ${postgres.skip ?? ''}`, () => {
  it.each(['url', 'pool'])('recovers over new connections after its Postgres connections died silently (%s)', LONG, async (kind) => {
    const { url, schema, remove } = await ownSchema(postgres.url ?? '')
    cleanups.push(remove)
    await proveItComesBack(url, 5432, (through) => {
      if (kind === 'url') return { store: postgresStore({ url: through, schema }) }
      const pool = new Pool({ connectionString: through, max: 10 })
      cleanups.push(() => pool.end())
      return { store: postgresStore({ pool, schema }), waiting: () => pool.waitingCount }
    })
  })
})

const mysql = await service('mysql')
describe.skipIf(mysql.skip)(`MySQL over connections that died silently ${mysql.skip ?? ''}`, () => {
  it.each(['url', 'pool'])('recovers over new connections after its MySQL connections died silently (%s)', LONG, async (kind) => {
    const { url, remove } = await ownDatabase(mysql.url ?? '')
    cleanups.push(remove)
    await proveItComesBack(url, 3306, (through) => {
      if (kind === 'url') return { store: mysqlStore({ url: through }) }
      const pool = createPool({ uri: through, connectionLimit: 10 })
      // The proxy has cut the pool's connections by then, so mysql2 rejects end().
      cleanups.push(() =>
        pool
          .promise()
          .end()
          .catch(() => undefined),
      )
      return { store: mysqlStore({ pool }) }
    })
  })
})

const redis = await service('redis')
describe.skipIf(redis.skip)(`Redis over a connection that died silently ${redis.skip ?? ''}`, () => {
  it('recovers over a new connection after its Redis connection died silently', LONG, async () => {
    const keyPrefix = newKeyPrefix()
    cleanups.push(() => withRedis(redis.url ?? '', (client) => removeKeys(client, keyPrefix)))
    await proveItComesBack(redis.url ?? '', 6379, (url) => ({ store: redisStore({ url, keyPrefix, onWarning: () => {} }) }))
  })

  it('recovers over a new Redis connection if only node-redis is installed', LONG, async () => {
    const proxy = await proxyBefore(redis.url ?? '', 6379)
    cleanups.push(() => proxy.close())
    const connection = ownConnection(() => openNodeRedis(nodeRedis, proxy.url), newKeyPrefix())
    cleanups.push(() => connection.close())
    const read = () => connection.run(scripts.readLeases, [0]).then(() => 'answered', String)
    expect(await read()).toBe('answered')
    proxy.forget()
    await expect.poll(read, { timeout: 20_000 }).toBe('answered')
  })
})
