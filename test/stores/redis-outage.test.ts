import { Redis } from 'ioredis'
import { StoreUnavailableError } from 'latchkey'
import { redisStore } from 'latchkey/stores/redis'
import * as nodeRedis from 'redis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownConnection } from '../../adapters/stores/redis/connection.js'
import { openNodeRedis } from '../../adapters/stores/redis/open.js'
import { scripts } from '../../adapters/stores/redis/scripts.js'
import type { StoredToken } from '../../src/model/record.js'
import type { TokenStore } from '../../src/store/port.js'
import { storedEvent, storedToken } from '../support/records.js'
import { createRedisServer, type RedisServer, redisServerMissing } from '../support/redis-server.js'

const missing = redisServerMissing()

/** How the store gets its connection. */
const ways: { readonly [name: string]: (url: string) => Promise<{ store: TokenStore; close(): unknown }> } = {
  async 'its own connection'(url) {
    const store = redisStore({ url })
    return { store, close: () => store.close?.() }
  },
  async 'an ioredis client of the host'(url) {
    const client = new Redis(url, { retryStrategy: () => 100 })
    client.on('error', () => {})
    const store = redisStore({ client })
    return {
      store,
      async close() {
        await store.close?.()
        client.disconnect()
      },
    }
  },
  async 'a node-redis client of the host'(url) {
    const client = nodeRedis.createClient({ url, socket: { reconnectStrategy: 100 } })
    client.on('error', () => {})
    await client.connect()
    const store = redisStore({ client })
    return {
      store,
      async close() {
        await store.close?.()
        client.destroy()
      },
    }
  },
}

/** The result of a call, or undefined if it fails. */
const orNothing = async <T>(call: () => T | Promise<T>): Promise<T | undefined> => {
  try {
    return await call()
  } catch {
    return undefined
  }
}

describe.skipIf(missing)(`a Redis server that becomes unavailable ${missing ?? ''}`, () => {
  let server: RedisServer
  const cleanups: (() => unknown)[] = []

  beforeEach(async () => {
    server = await createRedisServer()
    await server.start()
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    await server.dispose()
  })

  describe.each(Object.keys(ways))('with %s', (name) => {
    let store: TokenStore
    let token: StoredToken

    beforeEach(async () => {
      const way = ways[name]
      if (way === undefined) throw new Error(name)
      const opened = await way(server.url)
      cleanups.push(() => opened.close())
      store = opened.store
      token = storedToken()
      await store.commit({ inserts: [token], events: [storedEvent()] })
    })

    it('fails with typed errors while Redis is down, and recovers after its restart with no extra connections', async () => {
      await store.subscribe?.(() => {})
      const connections = await server.clients()
      const { cursor } = await store.changes(undefined, 10)
      let stopped = false
      let succeeded = 0
      const failures: unknown[] = []
      const worker = async (): Promise<void> => {
        while (!stopped) {
          try {
            expect(await store.find([token.id])).toEqual([token])
            succeeded += 1
          } catch (error) {
            failures.push(error)
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
        }
      }
      const workers = Promise.all(Array.from({ length: 20 }, worker))
      await expect.poll(() => succeeded).toBeGreaterThan(50)
      await server.kill()
      // Every worker keeps failing, so none of them hangs on a call.
      await expect.poll(() => failures.length).toBeGreaterThan(100)
      const whileAway = succeeded
      await server.start()
      await expect.poll(() => succeeded, { interval: 10 }).toBeGreaterThan(whileAway)
      stopped = true
      await workers
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(StoreUnavailableError)
        expect(failure).toMatchObject({ code: 'store_unavailable', message: expect.stringMatching(/^redis: /) })
      }
      await expect.poll(() => server.clients()).toBe(connections)
      // A restarted server may have lost changes, so followers of the old run drop everything.
      expect(await store.changes(cursor, 10)).toMatchObject({ everything: true })
    })

    it('wakes feed followers after Redis comes back', async () => {
      let wakes = 0
      let losses = 0
      await store.subscribe?.(
        () => {
          wakes += 1
        },
        () => {
          losses += 1
        },
      )
      expect(losses).toBe(0)
      await server.kill()
      await expect.poll(() => losses).toBeGreaterThan(0)
      await server.start()
      await expect.poll(() => server.ask('PUBSUB', 'NUMSUB', '{latchkey}:wake')).toEqual(['{latchkey}:wake', 1])
      await expect.poll(async () => orNothing(() => store.find([token.id]))).toHaveLength(1)
      await new Promise((resolve) => setTimeout(resolve, 50))
      const before = wakes
      await store.commit({ inserts: [storedToken()], events: [] })
      await expect.poll(() => wakes).toBeGreaterThan(before)
    })

    it('keeps acknowledged changes after Redis is killed', async () => {
      const acknowledged: string[] = []
      const writers = Promise.all(
        Array.from({ length: 10 }, async () => {
          for (;;) {
            const made = storedToken()
            const result = await orNothing(() => store.commit({ inserts: [made], events: [storedEvent({ tokenId: made.id })] }))
            if (result === undefined) return
            acknowledged.push(made.id)
          }
        }),
      )
      await expect.poll(() => acknowledged.length).toBeGreaterThan(100)
      await server.kill()
      await writers
      await server.start()
      await expect.poll(async () => orNothing(() => store.find([token.id]))).toHaveLength(1)
      const found = []
      for (let start = 0; start < acknowledged.length; start += 500) {
        found.push(...(await store.find(acknowledged.slice(start, start + 500))))
      }
      expect(found).toHaveLength(acknowledged.length)
      // A change that was written without a response also has its event.
      const tokens = await store.list({ prefix: 'acme', now: 0, limit: 1_001 })
      const events = await store.events({ prefix: 'acme', limit: 1_001 })
      expect(events).toHaveLength(tokens.length)
    })
  })

  it('fails immediately if Redis is down at startup, and works as soon as it is up, with no second connection', async () => {
    await server.kill()
    const store = redisStore({ url: server.url })
    cleanups.push(() => store.close?.())
    let wakes = 0
    await store.subscribe?.(() => {
      wakes += 1
    })
    const attempts = await Promise.allSettled(Array.from({ length: 50 }, async () => store.find(['x'])))
    expect(attempts.every(({ status }) => status === 'rejected')).toBe(true)
    await expect(store.find(['x'])).rejects.toThrow(/^redis: nothing responds at that address/)
    await server.start()
    expect(await store.find(['x'])).toEqual([])
    await expect.poll(() => wakes).toBeGreaterThan(0)
    expect(await server.clients()).toBe(2)
  })

  it('gives up on a Redis server that hangs, and continues when the server resumes', async () => {
    const store = redisStore({ url: server.url })
    cleanups.push(() => store.close?.())
    const token = storedToken()
    await store.commit({ inserts: [token], events: [] })
    server.signal('SIGSTOP')
    await expect(store.find([token.id])).rejects.toThrow(StoreUnavailableError)
    server.signal('SIGCONT')
    await expect.poll(async () => orNothing(() => store.find([token.id]))).toEqual([token])
  })

  it('recovers from a Redis outage if only node-redis is installed', async () => {
    const connection = ownConnection(() => openNodeRedis(nodeRedis, server.url), '{x}:')
    cleanups.push(() => connection.close())
    const read = (): Promise<unknown> => connection.run(scripts.readLeases, [0])
    expect(await read()).toEqual([])
    await server.kill()
    await expect.poll(() => read().catch((error: unknown) => error)).toBeInstanceOf(StoreUnavailableError)
    const failures = await Promise.all(Array.from({ length: 100 }, () => read().catch((error: unknown) => error)))
    expect(failures.every((failure) => failure instanceof StoreUnavailableError)).toBe(true)
    await server.start()
    await expect.poll(() => read().catch(() => 'down'), { interval: 10 }).toEqual([])
    connection.close()
    await server.kill()
    await expect(read()).rejects.toThrow(/nothing responds at that address/)
    await server.start()
    expect(await read()).toEqual([])
  })
})
