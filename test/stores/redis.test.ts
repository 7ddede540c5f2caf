import { Redis } from 'ioredis'
import { latchkey, type Minted } from 'latchkey'
import { type IoredisClient, type RedisStoreOptions, redisStore } from 'latchkey/stores/redis'
import { createClient } from 'redis'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { ListQuery, TokenStore } from '../../src/store/port.js'
import { bulkStamp, storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')

describe.skipIf(redis.skip)(`the Redis store ${redis.skip ?? ''}`, () => {
  const url = redis.url ?? ''
  const admin = new Redis(url, { lazyConnect: true })
  const cleanups: (() => unknown)[] = []
  const onWarning = (): void => {}

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(() => admin.disconnect())

  function open(options: Partial<RedisStoreOptions> = {}): { store: TokenStore; keyPrefix: string } {
    const keyPrefix = options.keyPrefix ?? newKeyPrefix()
    const store = redisStore({ ...('client' in options ? {} : { url }), keyPrefix, onWarning, ...options })
    cleanups.push(() => removeKeys(admin, keyPrefix))
    cleanups.push(() => store.close?.())
    return { store, keyPrefix }
  }

  /** A store whose connections can be distinguished from others by name. */
  function openNamed(): { store: TokenStore; connections: () => Promise<number> } {
    const name = `latchkey-${newKeyPrefix().slice(6, 22)}`
    const { store } = open({ url: `${url}${url.includes('?') ? '&' : '?'}connectionName=${name}` })
    return { store, connections: async () => String(await admin.call('CLIENT', 'LIST')).split(`name=${name} `).length - 1 }
  }

  it('keeps all Redis keys in one cluster slot, whatever names they contain', async () => {
    const keyPrefix = newKeyPrefix().slice(1, -2)
    const { store } = open({ keyPrefix })
    cleanups.push(() => removeKeys(admin, `{${keyPrefix}}:`))
    const token = storedToken({ tenantId: 'a}b{c', ownerId: '{other}', createdBy: 'x\ny' })
    await store.commit({ inserts: [token], events: [storedEvent({ tokenId: token.id, tenantId: 'a}b{c', createdBy: 'x\ny' })] })
    await store.recordUsage({
      nodeId: '{n}',
      seq: 1,
      at: 1,
      counts: [{ tokenId: token.id, bucketAt: 0, endpoint: '{e}', outcome: 'allowed', scope: '', count: 1 }],
      addresses: [{ tokenId: token.id, ip: '::1', count: 1, lastAt: 1 }],
      lastUses: [{ tokenId: token.id, at: 1 }],
    })
    await store.renewLease({ nodeId: '{n}', cursor: 'x.1', expiresAt: 1 })
    const keys = await admin.keys(`{${keyPrefix}}:*`)
    expect(keys.length).toBeGreaterThan(12)
    // Redis hashes the text in the first braces of a key.
    expect(new Set(keys.map((key) => /\{([^}]+)\}/.exec(key)?.[1]))).toEqual(new Set([keyPrefix]))
    expect(await store.list({ prefix: 'acme', createdBy: 'x\ny', tenantIds: ['a}b{c'], now: 0, limit: 5 })).toHaveLength(1)
  })

  it('leaves nothing but events behind when tokens are removed from Redis', async () => {
    const { store, keyPrefix } = open()
    const before = await admin.keys(`${keyPrefix}*`)
    const tokens = Array.from({ length: 5 }, (_, index) =>
      storedToken({
        tenantId: 't',
        ownerId: 'o',
        expiresAt: 5,
        notBefore: 1,
        rotationDueAt: 3,
        ...(index % 2 ? { revokedAt: 5 } : { deactivatedAt: 1 }),
      }),
    )
    const tokenIds = tokens.map(({ id }) => id)
    await store.commit({ inserts: tokens, events: [] })
    await store.recordUsage({
      nodeId: 'n',
      seq: 1,
      at: 1,
      counts: tokenIds.flatMap((tokenId) =>
        [0, 90].map((days) => ({ tokenId, bucketAt: days * 86_400_000, endpoint: '', outcome: 'allowed', scope: '', count: 1 })),
      ),
      addresses: tokenIds.map((tokenId) => ({ tokenId, ip: '::1', count: 1, lastAt: 1 })),
      lastUses: tokenIds.map((tokenId) => ({ tokenId, at: 1 })),
    })
    await store.commit({ removals: tokenIds, events: [] })
    const left = (await admin.keys(`${keyPrefix}*`)).map((key) => key.slice(keyPrefix.length).replace(/^done:.*/, 'done'))
    expect(before).toEqual([])
    expect(new Set(left)).toEqual(new Set(['done', 'feed', 'feed:head', 'node:n']))
  })

  it.each([
    ['another type', (key: string) => admin.set(key, 'not a set')],
    ['a value that is not a number', (key: string, ip: string) => admin.hset(key.replace('ua:', 'un:'), ip, 'x')],
  ])('refuses a whole batch of usage if one of its Redis keys has %s', async (_, spoil) => {
    const { store, keyPrefix } = open()
    const tokens = [storedToken(), storedToken(), storedToken()]
    await store.commit({ inserts: tokens, events: [] })
    const [first, bad, last] = tokens.map(({ id }) => id)
    await spoil(`${keyPrefix}ua:${bad}`, '::1')
    const tokenIds = [first, bad, last].map(String)
    const batch = {
      nodeId: 'n',
      seq: 1,
      at: 1,
      counts: tokenIds.map((tokenId) => ({ tokenId, bucketAt: 0, endpoint: '', outcome: 'allowed', scope: '', count: 1 })),
      addresses: tokenIds.map((tokenId) => ({ tokenId, ip: '::1', count: 1, lastAt: 1 })),
      lastUses: tokenIds.map((tokenId) => ({ tokenId, at: 1 })),
    }
    for (const _ of [1, 2]) await expect(Promise.resolve(store.recordUsage(batch))).rejects.toThrow()
    await admin.del(`${keyPrefix}ua:${bad}`, `${keyPrefix}un:${bad}`)
    expect(await store.usage({ tokenIds })).toEqual({ counts: [], addresses: [] })
    expect(await store.recordUsage(batch)).toBe(true)
    expect((await store.usage({ tokenIds })).counts).toHaveLength(3)
  })

  it('if a Redis key has the wrong type, only the uses of its token are lost, and they are reported as dropped', async () => {
    const { store, keyPrefix } = open()
    const tokens = latchkey({ prefix: 'acme', store, scopes: { a: 'b' }, logger: false, usage: { flushEvery: 60 } })
    cleanups.push(() => tokens.close().catch(() => undefined))
    const made: Minted[] = []
    for (const name of ['one', 'two', 'three']) made.push(await tokens.system.create({ name, scopes: ['a'] }))
    await admin.set(`${keyPrefix}us:${made[1]?.record.id}`, 'not a set')
    for (const { token } of made) for (let use = 0; use < 3; use += 1) await tokens.verify(token, { endpoint: '/', ip: '::1' })
    // The fault may be temporary, so the same batch is tried a few times before it is dropped.
    while ((await tokens.health()).usage.pending > 0) await tokens.flush().catch(() => undefined)
    expect((await tokens.health()).usage).toEqual({ pending: 0, dropped: 3 })
    const totals = await Promise.all([0, 2].map(async (at) => (await tokens.system.usage(made[at]?.record.id ?? '')).total))
    expect(totals).toEqual([3, 3])
  })

  it('keeps working after Redis has forgotten the scripts', async () => {
    const { store } = open()
    const token = storedToken()
    await store.commit({ inserts: [token], events: [storedEvent()] })
    await admin.script('FLUSH')
    expect(await store.find([token.id])).toEqual([token])
    await admin.script('FLUSH')
    expect(await store.commit({ removals: [token.id], events: [storedEvent()] })).toEqual({ ok: true })
  })

  it.each(['ioredis', 'node-redis'] as const)('reports success for a change that an %s client sent twice', async (kind) => {
    const client = new Redis(url)
    cleanups.push(() => client.disconnect())
    const twice: IoredisClient = {
      status: 'ready',
      // A client does this when it resends unanswered commands after its connection broke.
      async evalsha(sha, count, ...args) {
        await client.evalsha(sha, count, ...args)
        return client.evalsha(sha, count, ...args)
      },
      eval: (source, count, ...args) => client.eval(source, count, ...args),
      mget: (...keys) => client.mget(...keys),
    }
    const doubling =
      kind === 'ioredis'
        ? twice
        : {
            evalSha: (sha: string, { keys, arguments: args }: { keys: string[]; arguments: string[] }) =>
              twice.evalsha(sha, 1, ...keys, ...args),
            eval: (source: string, { keys, arguments: args }: { keys: string[]; arguments: string[] }) =>
              twice.eval(source, 1, ...keys, ...args),
            mGet: (keys: string[]) => twice.mget(...keys),
          }
    const { store } = open({ client: doubling })
    const token = storedToken()
    expect(await store.commit({ inserts: [token], events: [storedEvent()] })).toEqual({ ok: true })
    const update = { expectedVersion: 1, record: { ...token, version: 2, name: 'second' } }
    expect(await store.commit({ updates: [update], events: [storedEvent()] })).toEqual({ ok: true })
    expect(await store.commit({ updates: [update], events: [storedEvent()] })).toEqual({ ok: false, conflict: token.id })
    expect(
      await store.revokeWhere({ prefix: 'acme' }, bulkStamp({ revokedAt: 9, revokedBy: 'bob' }), storedEvent({ action: 'tokens.revoked' })),
    ).toMatchObject({ count: 1 })
    expect(await store.events({ prefix: 'acme', limit: 10 })).toHaveLength(3)
    expect(await store.find([token.id])).toMatchObject([{ version: 3, name: 'second', revokedAt: 9 }])
    const ticket = { prefix: 'acme', digest: 'd'.repeat(64), tokenId: token.id, expiresAt: 50_000 }
    expect(await store.saveTicket(ticket, { max: 2, now: 1, forgetBefore: 0 })).toBe(true)
    expect(await store.takeTicket('acme', ticket.digest)).toEqual(ticket)
    expect(await store.takeTicket('acme', ticket.digest)).toBeUndefined()
  })

  it('works with Redis clients that prefix every key', async () => {
    const mark = newKeyPrefix().slice(1, -2)
    const prefixed = new Redis(url, { keyPrefix: `${mark}-io:` })
    const other = createClient({ url, keyPrefix: `${mark}-node:` })
    await other.connect()
    cleanups.push(() => removeKeys(admin, mark))
    cleanups.push(() => prefixed.disconnect())
    cleanups.push(() => other.destroy())
    for (const client of [prefixed, other]) {
      const { store } = open({ client, keyPrefix: '{k}:' })
      const token = storedToken()
      let wakes = 0
      const stop = await store.subscribe?.(() => {
        wakes += 1
      })
      await expect.poll(() => wakes).toBeGreaterThan(0)
      const before = wakes
      await store.commit({ inserts: [token], events: [storedEvent()] })
      await expect.poll(() => wakes).toBeGreaterThan(before)
      expect(await store.find([token.id])).toEqual([token])
      expect(await store.list({ prefix: 'acme', now: 0, limit: 5 })).toHaveLength(1)
      await stop?.()
    }
    expect(await admin.keys('{k}:*')).toEqual([])
    expect((await admin.keys(`${mark}*`)).length).toBeGreaterThan(10)
  })

  it('bounds the history of the Redis feed, and reports to readers further behind that everything may have changed', async () => {
    const { store, keyPrefix } = open({ feedHistory: 20 })
    const start = (await store.changes(undefined, 10)).cursor
    for (let index = 0; index < 100; index += 1) await store.commit({ inserts: [storedToken()], events: [] })
    expect(await admin.zcard(`${keyPrefix}feed`)).toBeLessThanOrEqual(40)
    expect(await store.changes(start, 10)).toMatchObject({ everything: true, ids: [], more: false })
    const present = (await store.changes(undefined, 10)).cursor
    const token = storedToken()
    await store.commit({ inserts: [token], events: [] })
    expect(await store.changes(present, 10)).toMatchObject({ everything: false, ids: [token.id] })
  })

  it('treats a cursor from a different Redis run as a cursor that may have missed changes', async () => {
    const { store } = open()
    await store.commit({ inserts: [storedToken()], events: [] })
    const { cursor } = await store.changes(undefined, 10)
    const ofAnotherRun = cursor.replace(/^[0-9a-z]+/, '0'.repeat(40))
    expect(await store.changes(ofAnotherRun, 10)).toMatchObject({ everything: true, cursor })
    expect(store.reached(cursor, ofAnotherRun)).toBe(false)
    expect(store.reached(cursor, cursor)).toBe(true)
  })

  it('uses one Redis connection for any number of parallel calls, even if half are not awaited', async () => {
    const { store, connections } = openNamed()
    const tokens = Array.from({ length: 50 }, () => storedToken())
    await store.commit({ inserts: tokens, events: [] })
    const finds = Array.from({ length: 500 }, async (_, index) => store.find([tokens[index % 50]?.id ?? '']))
    await Promise.all(finds.filter((_, index) => index % 2 === 0))
    expect(await connections()).toBe(1)
    expect((await Promise.all(finds)).every((found) => found.length === 1)).toBe(true)
  })

  it.each(['ioredis', 'node-redis'])('refuses a change that %s cannot send in one command, and changes nothing', async (kind) => {
    const io = new Redis(url)
    const node = await createClient({ url }).connect()
    cleanups.push(() => io.disconnect())
    cleanups.push(() => node.destroy())
    const { store } = open({ client: kind === 'ioredis' ? io : node })
    const inserts = Array.from({ length: 40_000 }, () => storedToken())
    const failure = await (async () => store.commit({ inserts, events: [] }))().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('too large') })
    expect(await store.list({ prefix: 'acme', now: 0, limit: 1 })).toEqual([])
  })

  it('accepts a Redis response that arrived while the process was blocked', async () => {
    const client = new Redis(url)
    cleanups.push(() => client.disconnect())
    const { store } = open({ client })
    const token = storedToken()
    await store.commit({ inserts: [token], events: [] })
    const found = store.find([token.id])
    // The command must be sent first.
    await new Promise(setImmediate)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_500)
    expect(await found).toEqual([token])
  })

  it("leaves the host's Redis client open, and closes its own connections", async () => {
    await withRedis(url, async (client) => {
      const { store } = open({ client })
      await store.subscribe?.(() => {})
      await store.close?.()
      expect(await client.ping()).toBe('PONG')
    })
    const { store, connections } = openNamed()
    await store.find(['x'])
    await store.subscribe?.(() => {})
    expect(await connections()).toBe(2)
    await store.close?.()
    await expect.poll(connections).toBe(0)
  })

  it('finds the few tokens of a status among many others in one Redis step', async () => {
    const client = new Redis(url)
    cleanups.push(() => client.disconnect())
    let steps = 0
    const counting: IoredisClient = {
      status: 'ready',
      evalsha(sha, count, ...args) {
        steps += 1
        return client.evalsha(sha, count, ...args)
      },
      eval: (source, count, ...args) => client.eval(source, count, ...args),
      mget: (...keys) => client.mget(...keys),
    }
    const { store } = open({ client: counting })
    const many = Array.from({ length: 3_000 }, (_, index) => storedToken({ createdAt: 1_700_000_000_000 + (index % 40) }))
    const rare = [
      storedToken({ createdAt: 1, name: 'pending', notBefore: 900 }),
      storedToken({ createdAt: 2, name: 'expired', expiresAt: 400 }),
      storedToken({ createdAt: 3, name: 'inactive', deactivatedAt: 4 }),
      storedToken({ createdAt: 4, name: 'revoked', revokedAt: 4 }),
      storedToken({ createdAt: 5, name: 'due', rotationDueAt: 400 }),
    ]
    for (let start = 0; start < many.length; start += 500) {
      await store.commit({ inserts: many.slice(start, start + 500), events: [] })
    }
    await store.commit({ inserts: rare, events: [] })
    const names = async (query: Partial<ListQuery>): Promise<string[]> => {
      steps = 0
      return (await store.list({ prefix: 'acme', now: 500, limit: 10, ...query })).map(({ name }) => name)
    }
    for (const status of ['pending', 'expired', 'inactive', 'revoked'] as const) {
      expect(await names({ statuses: [status] })).toEqual([status])
      expect(steps).toBe(1)
    }
    expect(await names({ rotationDue: true })).toEqual(['due'])
    expect(steps).toBe(1)
    expect(await names({ expiresBefore: 401 })).toEqual(['expired'])
    expect(steps).toBe(1)
    // A search by name has no index and scans all tokens, 500 per step.
    expect(await names({ nameContains: 'PEND' })).toEqual(['pending'])
    expect(steps).toBe(7)
  })
})
