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

/** Loses every connection of a warm pool at once, as a firewall that forgets them: nobody is told, and new connections work. */
const proveItComesBack = async (url: string, port: number, over: (url: string) => Over): Promise<void> => {
  const proxy = await proxyBefore(url, port)
  const { store, waiting = () => 0 } = over(proxy.url)
  // Before a pool of the host's is ended, which would wait for the dead ones to say goodbye.
  cleanups.push(() => proxy.close())
  const tokens = latchkey({ prefix: 'acme_test', store, scopes: { 'inventory:read': 'See stock' }, cache: 'fresh', logger: false })
  cleanups.push(() => tokens.close())
  const create = () => tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
  const { token } = await create()
  for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 12 }, () => tokens.system.list({ limit: 1 })))
  proxy.forget()
  // As a host goes on: more changes than there are connections.
  const changes = Array.from({ length: 40 }, () => create().catch((error) => error.code))
  const verified = (): Promise<unknown> => Promise.resolve(tokens.verify(token)).then(({ ok }) => ok, String)
  await expect.poll(verified, { timeout: 15_000, interval: 100 }).toBe(true)
  await expect.poll(() => create().then(() => 'created', String), { timeout: 5_000, interval: 100 }).toBe('created')
  expect(await Promise.all(changes)).toContain('store_unavailable')
  expect(waiting()).toBe(0)
}

const LONG = { timeout: 60_000 }

const postgres = await service('postgres')
describe.skipIf(postgres.skip)(`postgres over connections that died without a word ${postgres.skip ?? ''}`, () => {
  it.each(['url', 'pool'])('answers again over new ones (%s)', LONG, async (kind) => {
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
describe.skipIf(mysql.skip)(`mysql over connections that died without a word ${mysql.skip ?? ''}`, () => {
  it.each(['url', 'pool'])('answers again over new ones (%s)', LONG, async (kind) => {
    const { url, remove } = await ownDatabase(mysql.url ?? '')
    cleanups.push(remove)
    await proveItComesBack(url, 3306, (through) => {
      if (kind === 'url') return { store: mysqlStore({ url: through }) }
      const pool = createPool({ uri: through, connectionLimit: 10 })
      // Its connections are cut by then, which mysql2 answers with an error.
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
describe.skipIf(redis.skip)(`redis over a connection that died without a word ${redis.skip ?? ''}`, () => {
  it('answers again over a new one', LONG, async () => {
    const keyPrefix = newKeyPrefix()
    cleanups.push(() => withRedis(redis.url ?? '', (client) => removeKeys(client, keyPrefix)))
    await proveItComesBack(redis.url ?? '', 6379, (url) => ({ store: redisStore({ url, keyPrefix, onWarning: () => {} }) }))
  })

  it('answers again over a new one where only node-redis is installed', LONG, async () => {
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
