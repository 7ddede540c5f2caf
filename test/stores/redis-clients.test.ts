import { Redis, type RedisOptions } from 'ioredis'
import { type RedisClient, redisStore } from 'latchkey/stores/redis'
import { createClient, createClientPool, RESP_TYPES } from 'redis'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'
import { proveUnchanged, refusalOf } from './unchanged.js'

const redis = await service('redis')

describe.skipIf(redis.skip)(`a Redis client that reshapes its replies ${redis.skip ?? ''}`, () => {
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
    ['automatic pipelining', { enableAutoPipelining: true }],
    ['automatic pipelining and a key prefix', { enableAutoPipelining: true, keyPrefix: '東' }],
    ['RESP3 replies', { protocol: 3, replyMapping: 'resp3' }],
    ['RESP2', { protocol: 2 }],
    ['long stack traces and no readiness check', { showFriendlyErrorStack: true, enableReadyCheck: false }],
    ['another database, no queue and a timeout', { db: 1, enableOfflineQueue: true, commandTimeout: 5_000, maxRetriesPerRequest: 1 }],
  ] as const)('leaves values unchanged on ioredis with %s', async (_title, options) => {
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
    ['mget', (values: readonly unknown[]) => values.map((value) => value ?? ''), 'an absent value comes back as different text'],
    ['evalsha', (value: unknown) => (value === '' ? null : value), 'empty text comes back as null'],
    ['evalsha', (value: unknown) => ({ value }), 'a list comes back as an object'],
    [
      'evalsha',
      (value: unknown) => JSON.parse(JSON.stringify(value), (_key, part) => (typeof part === 'string' ? part.normalize('NFD') : part)),
      'text comes back as different text',
    ],
  ] as const)('refuses ioredis with a transformer for the replies of %s and names the cause', async (name, transform, says) => {
    transformed('reply', [name], transform as never)
    const message = await refusalOf(over(ioredis()))
    expect(message).toContain(says)
    expect(message).toContain('without reply transformers')
  })

  it('refuses ioredis with argument transformers and names the cause', async () => {
    transformed('argument', ['evalsha', 'eval'], ((args: readonly unknown[]) =>
      args.map((arg) => (typeof arg === 'string' ? arg.replace('🔑', '?') : arg))) as never)
    expect(await refusalOf(over(ioredis()))).toContain('text comes back as different text')
  })

  it("does not mistake a reply in the host's open ioredis transaction for a conflict or a negative answer", async () => {
    const client = ioredis()
    const store = over(client)
    const [before, within, after] = [storedToken(), storedToken(), storedToken()]
    expect(await store.commit({ inserts: [before], events: [storedEvent()] })).toEqual({ ok: true })
    await client.multi({ pipeline: false })
    const { prefix, id } = before
    const ticket = { prefix, digest: 'a'.repeat(64), tokenId: id, expiresAt: 2_000 }
    const batch = { nodeId: 'n', seq: 1, at: 1_000, counts: [], addresses: [], lastUses: [] }
    for (const call of [
      () => store.commit({ inserts: [within], events: [storedEvent()] }),
      () => store.saveTicket(ticket, { max: 5, now: 1_000, forgetBefore: 0 }),
      () => store.saveConsumer({ prefix, name: 'siem', version: 1, position: 1 }),
      () => store.recordUsage(batch),
      () => store.renewLease({ nodeId: 'n', cursor: '1.1', expiresAt: 2_000 }),
      () => store.find([id]),
    ])
      await expect((async () => call())()).rejects.toMatchObject({ code: 'store_unavailable' })
    await client.exec()
    expect(await store.commit({ inserts: [after], events: [storedEvent()] })).toEqual({ ok: true })
    expect((await store.find([before.id, within.id, after.id])).length).toBe(3)
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
    ['RESP2', { RESP: 2 }],
    ['RESP3', { RESP: 3 }],
    ['type mappings', { commandOptions: { typeMapping: mapping } }],
    ['type mappings over RESP2', { RESP: 2, commandOptions: { typeMapping: mapping } }],
    ['a key prefix', { keyPrefix: '東' }],
    ['asap commands and no offline queue', { commandOptions: { asap: true }, disableOfflineQueue: true }],
  ] as const)('leaves values unchanged on node-redis with %s', async (_title, options) => {
    await proveUnchanged(over((await nodeRedis(options as never)) as unknown as RedisClient))
  })

  it('ignores the type mappings of a node-redis client or pool that wraps the connected one', async () => {
    const client = await nodeRedis()
    await proveUnchanged(over(client.withTypeMapping(mapping as never) as unknown as RedisClient))
    await proveUnchanged(over(client.withCommandOptions({ typeMapping: mapping } as never) as unknown as RedisClient))
    const pool = createClientPool({ url, commandOptions: { typeMapping: mapping } } as never)
    pool.on('error', () => {})
    await pool.connect()
    cleanups.push(() => pool.destroy())
    await proveUnchanged(over(pool as unknown as RedisClient))
  })

  it('bypasses the client-side cache of node-redis, which would hide a revocation', async () => {
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
