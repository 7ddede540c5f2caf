import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { StoreUnavailableError } from 'latchkey'
import { type RedisWarning, redisStore } from 'latchkey/stores/redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { begin } from '../../adapters/stores/redis/begin.js'
import type { Connection } from '../../adapters/stores/redis/connection.js'
import { redisFailure } from '../../adapters/stores/redis/failure.js'
import { openClient } from '../../adapters/stores/redis/open.js'
import type { TokenStore } from '../../src/store/port.js'
import { bulkStamp, storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix } from '../support/redis.js'
import { createRedisServer, freePort, type RedisServer, redisServerMissing } from '../support/redis-server.js'

const PASSWORD = 'hunter2-and-some-more'
const missing = redisServerMissing()

const failureOf = async (call: () => unknown): Promise<unknown> => {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

describe.skipIf(missing)(`a Redis server that refuses requests ${missing ?? ''}`, () => {
  let server: RedisServer
  const cleanups: (() => unknown)[] = []

  beforeAll(async () => {
    server = await createRedisServer([], PASSWORD)
    await server.start()
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(() => server?.dispose())

  function open(user: string, password: string, warnings: RedisWarning[] = []): { store: TokenStore; keyPrefix: string } {
    const keyPrefix = newKeyPrefix()
    const url = `redis://${user}:${password}@127.0.0.1:${server.port}`
    const store = redisStore({ url, keyPrefix, onWarning: (warning) => warnings.push(warning) })
    cleanups.push(() => store.close?.())
    return { store, keyPrefix }
  }

  it.each([
    ['a wrong password', 'default', 'hunter2-mistyped'],
    ['a wrong user', 'nobody', PASSWORD],
  ])('reports %s for Redis without repeating it', async (_title, user, password) => {
    const { store } = open(user, password)
    const failure = await failureOf(() => store.migrate?.())
    expect(failure).toBeInstanceOf(StoreUnavailableError)
    expect(failure).toMatchObject({ message: expect.stringContaining('check the user and password') })
    expect(inspect(failure, { showHidden: true, depth: null })).not.toContain('hunter2')
  })

  it('reports a missing Redis password', async () => {
    const store = redisStore({ url: server.url })
    cleanups.push(() => store.close?.())
    await expect(store.find(['x'])).rejects.toThrow(/check the user and password/)
  })

  it('reports a Redis host that does not exist, without the password', async () => {
    const lost = redisStore({ url: `redis://:${PASSWORD}@no-such-host.invalid:6379` })
    const failure = await failureOf(() => lost.find(['x']))
    expect(failure).toMatchObject({ code: 'store_unavailable', message: expect.stringMatching(/^redis: /) })
    expect(inspect(failure, { showHidden: true, depth: null })).not.toContain('hunter2')
    await lost.close?.()
  })

  it('reports a full Redis server in one clear error, and writes neither the change nor its event', async () => {
    const { store } = open('default', PASSWORD)
    const kept = storedToken()
    await store.commit({ inserts: [kept], events: [storedEvent()] })
    await server.ask('CONFIG', 'SET', 'maxmemory', '1')
    cleanups.push(() => server.ask('CONFIG', 'SET', 'maxmemory', '0'))
    const refused = storedToken({ metadata: { canary: 'canary-value' } })
    const failures = [
      await failureOf(() => store.commit({ inserts: [refused], events: [storedEvent()] })),
      await failureOf(() => store.commit({ updates: [{ expectedVersion: 1, record: { ...kept, version: 2 } }], events: [storedEvent()] })),
      await failureOf(() => store.revokeWhere({ prefix: 'acme' }, bulkStamp({ revokedAt: 1, revokedBy: 'bob' }), storedEvent())),
      await failureOf(() => store.commit({ events: [storedEvent()] })),
    ]
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('out of memory') })
      expect(inspect(failure, { showHidden: true, depth: null })).not.toContain('canary-value')
    }
    expect(await store.find([kept.id, refused.id])).toEqual([kept])
    await server.ask('CONFIG', 'SET', 'maxmemory', '0')
    expect(await store.events({ prefix: 'acme', limit: 10 })).toHaveLength(1)
    expect(await store.commit({ inserts: [refused], events: [storedEvent()] })).toEqual({ ok: true })
  })

  it('lists expired tokens in order on a full Redis server', async () => {
    const { store } = open('default', PASSWORD)
    const inserts = Array.from({ length: 700 }, (_, at) => storedToken({ createdAt: (at * 7_919) % 700, expiresAt: 1_000 - at }))
    for (const part of [inserts.slice(0, 400), inserts.slice(400)]) await store.commit({ inserts: part, events: [] })
    await store.commit({ inserts: [storedToken({ createdAt: 5_000 })], events: [] })
    await server.ask('CONFIG', 'SET', 'maxmemory', '1')
    cleanups.push(() => server.ask('CONFIG', 'SET', 'maxmemory', '0'))
    const page = await store.list({ prefix: 'acme', now: 2_000, limit: 700, statuses: ['expired'] })
    expect(page.map(({ createdAt }) => createdAt)).toEqual(Array.from({ length: 700 }, (_, at) => 699 - at))
  })

  it('advises connecting to the primary if Redis is a read-only replica', async () => {
    const warnings: RedisWarning[] = []
    const { store } = open('default', PASSWORD, warnings)
    await store.migrate?.()
    await server.ask('REPLICAOF', '127.0.0.1', '1')
    cleanups.push(() => server.ask('REPLICAOF', 'NO', 'ONE'))
    await expect(store.commit({ inserts: [storedToken()], events: [] })).rejects.toThrow(/connect to the primary/)
    await expect(store.migrate?.()).rejects.toThrow(/connect to the primary/)
  })

  it('works if Redis forbids reading settings and publishing, and warns about what it could not check', async () => {
    const keyPrefix = newKeyPrefix()
    await server.ask('ACL', 'SETUSER', 'app', 'reset', 'on', `>${PASSWORD}`, `~${keyPrefix}*`, '+@all', '-config', '-info', '-publish')
    cleanups.push(() => server.ask('ACL', 'DELUSER', 'app'))
    const client = new Redis({ port: server.port, host: '127.0.0.1', username: 'app', password: PASSWORD, enableReadyCheck: false })
    cleanups.push(() => client.disconnect())
    const warnings: RedisWarning[] = []
    const store = redisStore({ client, keyPrefix, onWarning: (warning) => warnings.push(warning) })
    await store.migrate?.()
    expect(warnings).toMatchObject([{ code: 'LATCHKEY_REDIS_UNCHECKED', message: expect.stringContaining('appendonly, appendfsync') }])
    const token = storedToken()
    const { cursor } = await store.changes(undefined, 10)
    expect(await store.commit({ inserts: [token], events: [storedEvent()] })).toEqual({ ok: true })
    expect(await store.changes(cursor, 10)).toMatchObject({ everything: false, ids: [token.id] })
  })

  it('works with exactly the Redis permissions that the docs list', async () => {
    const docs = await readFile(new URL('../../docs/stores/redis.md', import.meta.url), 'utf8')
    const keyPrefix = newKeyPrefix()
    const rules = /ACL SETUSER latchkey (on .*)/.exec(docs)?.[1]?.replace('a-long-password', PASSWORD).replaceAll('{latchkey}:', keyPrefix)
    await server.ask('ACL', 'SETUSER', 'latchkey', 'reset', ...(rules ?? '').split(' '))
    cleanups.push(() => server.ask('ACL', 'DELUSER', 'latchkey'))
    const client = new Redis({ port: server.port, host: '127.0.0.1', username: 'latchkey', password: PASSWORD })
    cleanups.push(() => client.disconnect())
    const warnings: RedisWarning[] = []
    const store = redisStore({ client, keyPrefix, onWarning: (warning) => warnings.push(warning) })
    await store.migrate?.()
    expect(warnings).toEqual([])
    let wakes = 0
    const stop = await store.subscribe?.(() => {
      wakes += 1
    })
    await expect.poll(() => wakes).toBeGreaterThan(0)
    const before = wakes
    const token = storedToken()
    const { cursor } = await store.changes(undefined, 10)
    expect(cursor).not.toMatch(/^unknown/)
    expect(await store.commit({ inserts: [token], events: [storedEvent()] })).toEqual({ ok: true })
    await expect.poll(() => wakes).toBeGreaterThan(before)
    expect(await store.find([token.id])).toEqual([token])
    expect(await store.list({ prefix: 'acme', now: 0, limit: 5 })).toHaveLength(1)
    await store.recordUsage({ nodeId: 'n', seq: 1, at: 1, counts: [], addresses: [], lastUses: [{ tokenId: token.id, at: 1 }] })
    expect(await store.revokeWhere({ prefix: 'acme' }, bulkStamp({ revokedAt: 1, revokedBy: 'bob' }), storedEvent())).toMatchObject({
      count: 1,
    })
    await store.renewLease({ nodeId: 'n', cursor, expiresAt: 1 })
    expect(await store.commit({ removals: [token.id], events: [storedEvent()] })).toEqual({ ok: true })
    await stop?.()
    // The same user cannot write any other key.
    await expect(client.set('other', '1')).rejects.toThrow(/NOPERM/)
  })

  it('names the missing permission if the Redis user has no access to the keys', async () => {
    await server.ask('ACL', 'SETUSER', 'stranger', 'reset', 'on', `>${PASSWORD}`, '~other:*', '&*', '+@all')
    cleanups.push(() => server.ask('ACL', 'DELUSER', 'stranger'))
    const { store } = open('stranger', PASSWORD)
    await expect(store.commit({ inserts: [storedToken()], events: [] })).rejects.toThrow(/lacks a permission/)
  })

  it('reports a Redis key prefix that belongs to something else', async () => {
    const { store, keyPrefix } = open('default', PASSWORD)
    await server.ask('SET', `${keyPrefix}feed`, 'mine')
    await expect(store.commit({ inserts: [storedToken()], events: [] })).rejects.toThrow(/choose a different key prefix/)
  })

  it('refuses to start on Redis data of a later version', async () => {
    const { store, keyPrefix } = open('default', PASSWORD)
    await server.ask('SET', `${keyPrefix}layout`, '2')
    await expect(store.migrate?.()).rejects.toThrow(/later version of latchkey/)
  })

  it('warns only about the Redis settings that are wrong', async () => {
    const warnings: RedisWarning[] = []
    const { store } = open('default', PASSWORD, warnings)
    await store.migrate?.()
    expect(warnings).toEqual([])
    for (const [name, value, back] of [
      ['appendfsync', 'everysec', 'always'],
      ['maxmemory-policy', 'allkeys-lru', 'noeviction'],
      ['appendonly', 'no', 'yes'],
    ] as const) {
      await server.ask('CONFIG', 'SET', name, value)
      await store.migrate?.()
      await server.ask('CONFIG', 'SET', name, back)
    }
    expect(warnings.map(({ code }) => code)).toEqual(['LATCHKEY_REDIS_FSYNC', 'LATCHKEY_REDIS_EVICTION', 'LATCHKEY_REDIS_NOT_PERSISTENT'])
    expect(warnings.every(({ message }) => /(would|could) /.test(message))).toBe(true)
  })

  it('emits a process warning with a code about a Redis server by default', async () => {
    const store = redisStore({ url: `redis://:${PASSWORD}@127.0.0.1:${server.port}`, keyPrefix: newKeyPrefix() })
    cleanups.push(() => store.close?.())
    await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    cleanups.push(() => server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction'))
    const heard: unknown[] = []
    const listener = (warning: Error): unknown => heard.push({ ...warning, name: warning.name })
    process.on('warning', listener)
    cleanups.push(() => process.off('warning', listener))
    await store.migrate?.()
    await expect.poll(() => heard).toContainEqual(expect.objectContaining({ name: 'LatchkeyWarning', code: 'LATCHKEY_REDIS_EVICTION' }))
  })
})

describe('the settings that a Redis server reports', () => {
  const sound = { redis_version: '7.2.4', aof_enabled: '1', maxmemory_policy: 'noeviction', role: 'master' }
  const server = (facts: object, fsync: unknown): Connection => ({
    run: async () => [
      '1',
      Object.entries({ ...sound, ...facts })
        .flatMap(([name, value]) => (value === undefined ? [] : [`${name}:${value}`]))
        .join('\r\n'),
    ],
    getMany: () => Promise.reject(new Error('unused')),
    setting: async () => fsync,
    client: () => Promise.reject(new Error('unused')),
    close() {},
  })

  it.each([
    ['all required settings', {}, 'always', []],
    ['a sync every second', {}, 'everysec', ['LATCHKEY_REDIS_FSYNC']],
    ['no sync', {}, 'no', ['LATCHKEY_REDIS_FSYNC']],
    ['no append-only file', { aof_enabled: '0' }, 'always', ['LATCHKEY_REDIS_NOT_PERSISTENT']],
    ['eviction', { maxmemory_policy: 'volatile-ttl' }, 'always', ['LATCHKEY_REDIS_EVICTION']],
    ['the role of a replica', { role: 'slave' }, 'always', ['LATCHKEY_REDIS_REPLICA']],
    ['a setting that cannot be read', {}, undefined, ['LATCHKEY_REDIS_UNCHECKED']],
    ['information that cannot be read', { aof_enabled: undefined, maxmemory_policy: undefined }, undefined, ['LATCHKEY_REDIS_UNCHECKED']],
  ] as const)('returns the right warnings for a Redis server with %s', async (_title, facts, fsync, codes) => {
    expect((await begin(server(facts, fsync))).map(({ code }) => code)).toEqual(codes)
  })

  it('refuses a Redis server older than version 7', async () => {
    await expect(begin(server({ redis_version: '6.2.14' }, 'always'))).rejects.toThrow(
      /version 6.2.14: latchkey requires Redis 7 or Valkey/,
    )
  })
})

describe('the details that a Redis failure exposes', () => {
  it('keeps the command and its quoted arguments out of a Redis failure', () => {
    const failure = Object.assign(new Error("ERR unknown command 'FOO', with args beginning with: 'canary'"), {
      command: { args: ['canary'] },
    })
    expect(inspect(redisFailure(failure), { showHidden: true, depth: null })).not.toContain('canary')
  })

  it('keeps the password of a URL out of a Redis failure', () => {
    const failure = redisFailure(new Error('cannot connect to redis://me:hunter2@host:1/'))
    expect(inspect(failure, { showHidden: true, depth: null })).not.toContain('hunter2')
  })

  it.each([
    ['MISCONF Redis is configured to save RDB snapshots', 'check the disk'],
    ['LOADING Redis is loading the dataset in memory', 'still loading'],
    ['BUSY Redis is busy running a script', 'cannot respond at the moment'],
    ['CLUSTERDOWN The cluster is down', 'cannot respond at the moment'],
    ["ERR unknown command 'ZINTERCARD'", 'latchkey requires Redis 7 or Valkey'],
    ['getaddrinfo ENOTFOUND no-such-host.invalid', 'host name cannot be resolved'],
    ['connect ECONNREFUSED 127.0.0.1:1', 'nothing responds at that address'],
    ['connect ETIMEDOUT', 'no connection'],
    ['Connection is closed.', 'no connection'],
    ['self-signed certificate', 'encrypted connection'],
  ])('explains what to do about the Redis error %s', (message, advice) => {
    expect(redisFailure(new Error(message))).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining(advice) })
  })

  it.each([undefined, null, '', 0, 'route', new AggregateError([new Error('connect ECONNREFUSED ::1:1')])])(
    'turns %o into one typed error',
    (thrown) => {
      expect(redisFailure(thrown)).toBeInstanceOf(StoreUnavailableError)
    },
  )
})

describe('the Redis client packages', () => {
  const absent = async (): Promise<undefined> => undefined
  const broken = (): Promise<never> => Promise.reject(new SyntaxError('Unexpected token'))

  it('names the packages to install if both Redis clients are missing', async () => {
    await expect(openClient('redis://127.0.0.1:1', { ioredis: absent, redis: absent })).rejects.toThrow(/npm install ioredis/)
  })

  it('uses node-redis if it is the only installed Redis client', async () => {
    const port = await freePort()
    const used = vi.fn(() => import('redis'))
    await expect(openClient(`redis://127.0.0.1:${port}`, { ioredis: absent, redis: used })).rejects.toThrow(/ECONNREFUSED/)
    expect(used).toHaveBeenCalledOnce()
  })

  it('does not treat a broken ioredis package as missing', async () => {
    await expect(openClient('redis://127.0.0.1:1', { ioredis: broken, redis: () => import('redis') })).rejects.toThrow(SyntaxError)
  })
})
