import { Redis, type RedisOptions } from 'ioredis'
import { type RedisClient, redisStore } from 'latchkey/stores/redis'
import { createClient, createClientPool, RESP_TYPES } from 'redis'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'
import { proveUnchanged, refusalOf } from './unchanged.js'

const redis = await service('redis')

describe.skipIf(redis.skip)(`a redis client that shapes its replies ${redis.skip ?? ''}`, () => {
  const url = redis.url ?? ''
  const run = newKeyPrefix().slice(0, -2)
  const cleanups: (() => unknown)[] = []
  let cases = 0

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    const admin = new Redis(url)
    for (const prefix of [run, `東${run}`]) await removeKeys(admin, prefix)
    admin.disconnect()
  })

  const over = (client: RedisClient, keyPrefix?: string) => {
    cases += 1
    const store = redisStore({ client, keyPrefix: keyPrefix ?? `${run}-${cases}}:`, onWarning: () => {} })
    cleanups.push(() => store.close?.())
    return store
  }

  const ioredis = (options: RedisOptions = {}): Redis => {
    const client = new Redis(url, options as object)
    client.on('error', () => {})
    cleanups.push(() => client.disconnect())
    return client
  }

  it.each([
    ['numbers as text', { stringNumbers: true }],
    ['a key prefix', { keyPrefix: '東' }],
    ['pipelines that it makes by itself', { enableAutoPipelining: true }],
    ['pipelines and a key prefix', { enableAutoPipelining: true, keyPrefix: '東' }],
    ['replies of the third protocol', { protocol: 3, replyMapping: 'resp3' }],
    ['the second protocol', { protocol: 2 }],
    ['long stack traces and no check of readiness', { showFriendlyErrorStack: true, enableReadyCheck: false }],
    ['another database, no queue and a timeout', { db: 1, enableOfflineQueue: true, commandTimeout: 5_000, maxRetriesPerRequest: 1 }],
  ] as const)('changes nothing by %s of ioredis', async (_title, options) => {
    await proveUnchanged(over(ioredis(options as RedisOptions)))
  })

  const transformed = (kind: 'reply' | 'argument', names: readonly string[], transform: (value: never) => unknown): void => {
    const set = kind === 'reply' ? Redis.Command.setReplyTransformer : Redis.Command.setArgumentTransformer
    for (const name of names) {
      set.call(Redis.Command, name, transform as never)
      cleanups.push(() => Reflect.deleteProperty(Reflect.get(Redis.Command, '_transformer')[kind], name))
    }
  }

  it.each([
    [
      'mget',
      (values: readonly unknown[]) => values.map((value) => (typeof value === 'string' ? Buffer.from(value) : value)),
      'a value comes back as a Buffer',
    ],
    ['mget', (values: readonly unknown[]) => new Set(values), 'a list of values comes back as an object'],
    ['mget', (values: readonly unknown[]) => values.map((value) => value ?? ''), 'an absent value comes back as other text'],
    ['evalsha', (value: unknown) => (value === '' ? null : value), 'empty text comes back as null'],
    ['evalsha', (value: unknown) => ({ value }), 'a list comes back as an object'],
    [
      'evalsha',
      (value: unknown) => JSON.parse(JSON.stringify(value), (_key, part) => (typeof part === 'string' ? part.normalize('NFD') : part)),
      'text comes back as other text',
    ],
  ] as const)('is refused by name where ioredis transforms the replies of %s', async (name, transform, says) => {
    transformed('reply', [name], transform as never)
    const message = await refusalOf(over(ioredis()))
    expect(message).toContain(says)
    expect(message).toContain('without reply transformers')
  })

  it('is refused by name where ioredis transforms arguments', async () => {
    transformed('argument', ['evalsha', 'eval'], ((args: readonly unknown[]) =>
      args.map((arg) => (typeof arg === 'string' ? arg.replace('🔑', '?') : arg))) as never)
    expect(await refusalOf(over(ioredis()))).toContain('text comes back as other text')
  })

  const nodeRedis = async (options: Parameters<typeof createClient>[0] = {}) => {
    const client = createClient({ url, ...options })
    client.on('error', () => {})
    cleanups.push(() => client.destroy())
    await client.connect()
    return client
  }

  const mapping = {
    [RESP_TYPES.BLOB_STRING]: Buffer,
    [RESP_TYPES.SIMPLE_STRING]: Buffer,
    [RESP_TYPES.NUMBER]: String,
    [RESP_TYPES.BIG_NUMBER]: String,
    [RESP_TYPES.DOUBLE]: String,
    [RESP_TYPES.ARRAY]: Set,
    [RESP_TYPES.SET]: Set,
    [RESP_TYPES.MAP]: Map,
    [RESP_TYPES.VERBATIM_STRING]: Buffer,
  }

  it.each([
    ['the second protocol', { RESP: 2 }],
    ['the third protocol', { RESP: 3 }],
    ['type mappings', { commandOptions: { typeMapping: mapping } }],
    ['type mappings of the second protocol', { RESP: 2, commandOptions: { typeMapping: mapping } }],
    ['a key prefix', { keyPrefix: '東' }],
    ['commands that go first, and no queue', { commandOptions: { asap: true }, disableOfflineQueue: true }],
  ] as const)('changes nothing by %s of node-redis', async (_title, options) => {
    await proveUnchanged(over((await nodeRedis(options as never)) as unknown as RedisClient))
  })

  it('changes nothing by type mappings of a client or pool that stands before the one that connects', async () => {
    const client = await nodeRedis()
    await proveUnchanged(over(client.withTypeMapping(mapping as never) as unknown as RedisClient))
    await proveUnchanged(over(client.withCommandOptions({ typeMapping: mapping } as never) as unknown as RedisClient))
    const pool = createClientPool({ url, commandOptions: { typeMapping: mapping } } as never)
    pool.on('error', () => {})
    await pool.connect()
    cleanups.push(() => pool.destroy())
    await proveUnchanged(over(pool as unknown as RedisClient))
  })

  it('reads past the cache of node-redis, which would hide a revocation', async () => {
    const client = await nodeRedis({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } } as never)
    const keyPrefix = `${run}-cached}:`
    const [cached, other] = [over(client as unknown as RedisClient, keyPrefix), over(ioredis(), keyPrefix)]
    await cached.migrate?.()
    const token = storedToken()
    await other.commit({ inserts: [token], events: [storedEvent()] })
    for (let version = 1; version <= 20; version += 1) {
      expect(await cached.find([token.id])).toMatchObject([{ version }])
      const record = { ...token, version: version + 1 }
      await other.commit({ updates: [{ expectedVersion: version, record }], events: [storedEvent()] })
    }
    const cache = Reflect.get(client, 'clientSideCache') as { stats(): { readonly hitCount: number; readonly missCount: number } }
    expect(cache.stats()).toMatchObject({ hitCount: 0, missCount: 0 })
  })
})
