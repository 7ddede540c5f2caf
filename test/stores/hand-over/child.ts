import { Redis } from 'ioredis'
import { createPool } from 'mysql2'
import { Pool } from 'pg'
import { createClient } from 'redis'
import { mysqlStore } from '../../../adapters/stores/mysql.js'
import { postgresStore } from '../../../adapters/stores/postgres.js'
import { type RedisClient, redisStore } from '../../../adapters/stores/redis.js'
import type { TokenStore } from '../../../src/store/port.js'
import { event, token } from '../sql/samples.js'
import { type CuttingProxy, cuttingProxy } from './cutting-proxy.js'

// Only the stores and their drivers listen for errors in this process. A connection is ended repeatedly as it passes from one call to the
// next.
const [, , kind = '', url = '', name = ''] = process.argv
const ROUNDS = 60

const stores: { readonly [kind: string]: (proxy: CuttingProxy) => TokenStore } = {
  'postgres url': (proxy) => postgresStore({ url: proxy.url, schema: name, poolSize: 1 }),
  'postgres pool': (proxy) => {
    const pool = new Pool({ connectionString: proxy.url, max: 1 })
    // The host handles errors from idle connections.
    pool.on('error', () => {})
    return postgresStore({ pool, schema: name })
  },
  'mysql url': (proxy) => mysqlStore({ url: proxy.url, poolSize: 1 }),
  'mysql pool': (proxy) => mysqlStore({ pool: createPool({ uri: proxy.url, connectionLimit: 1 }) }),
  'redis url': (proxy) => redisStore({ url: proxy.url, keyPrefix: name, onWarning: () => {} }),
  'redis ioredis': (proxy) => redisStore({ client: new Redis(proxy.url), keyPrefix: name, onWarning: () => {} }),
  'redis node-redis': (proxy) => {
    const client = createClient({ url: proxy.url })
    client.on('error', () => {})
    void client.connect().catch(() => {})
    return redisStore({ client: client as unknown as RedisClient, keyPrefix: name, onWarning: () => {} })
  },
}

const tried = async (call: () => unknown): Promise<boolean> => {
  try {
    await call()
    return true
  } catch {
    return false
  }
}

const server = kind.split(' ')[0] as 'postgres' | 'mysql' | 'redis'
const proxy = await cuttingProxy(server, url, { postgres: 5432, mysql: 3306, redis: 6379 }[server])
const store = stores[kind]?.(proxy)
if (store === undefined) throw new Error(kind)
while (!(await tried(() => store.migrate?.())));
const stop = await store.subscribe?.(() => {})
const known = token()
while (!(await tried(() => store.commit({ inserts: [known], events: [event()] }))));
for (let round = 0; round < ROUNDS; round += 1) {
  // Several calls wait for the one connection; each cut hits a different response.
  const work = Array.from({ length: 8 }, (_, index) =>
    tried(() => (index % 2 === 0 ? store.find([known.id]) : store.commit({ inserts: [token()], events: [event()] }))),
  )
  if (round % 5 === 4) proxy.arm()
  proxy.arm()
  await Promise.all(work)
}
const deadline = Date.now() + 15_000
while (!(await tried(() => store.find([known.id])))) {
  if (Date.now() > deadline) throw new Error('the store does not recover')
  await new Promise((resolve) => setTimeout(resolve, 20))
}
await stop?.()
await tried(() => store.close?.())
process.stdout.write(`alive after ${proxy.cuts} cuts\n`, () => process.exit(0))
