import { Redis } from 'ioredis'
import { memoryStore } from 'latchkey/stores/memory'
import { redisStore } from 'latchkey/stores/redis'
import { afterEach, describe, expect, it } from 'vitest'
import type { StoredToken } from '../../src/model/record.js'
import type { Change, ListQuery, TokenStore } from '../../src/store/port.js'
import { bulkStamp, storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')

const COUNT = 2_000
const BATCH = 500

// Redis orders tokens by expiry but must list them by creation, so it moves expired tokens into creation order when they are listed.
describe.skipIf(redis.skip)(`more expired tokens than Redis examines in one step ${redis.skip ?? ''}`, () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  /** A Redis store and a memory store that receive the same changes. */
  async function open(): Promise<{
    readonly commit: (change: Change) => Promise<void>
    readonly compare: (query: Partial<ListQuery>) => Promise<number>
    readonly made: readonly StoredToken[]
    readonly store: TokenStore
    readonly model: TokenStore
  }> {
    const admin = new Redis(redis.url ?? '')
    const keyPrefix = newKeyPrefix()
    const store = redisStore({ url: redis.url ?? '', keyPrefix, onWarning: () => {} })
    const model = memoryStore()
    cleanups.push(
      () => admin.disconnect(),
      () => removeKeys(admin, keyPrefix),
      () => store.close?.(),
    )
    const commit = async (change: Change): Promise<void> => {
      expect(await store.commit(change)).toEqual({ ok: true })
      expect(await model.commit(change)).toEqual({ ok: true })
    }
    const compare = async (query: Partial<ListQuery>): Promise<number> => {
      let after: ListQuery['after']
      for (let seen = 0; ; ) {
        const asked: ListQuery = { prefix: 'acme', now: 500_000, limit: 300, statuses: ['expired'], ...query, ...(after && { after }) }
        const [page, expected] = [await store.list(asked), await model.list(asked)]
        expect(page.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
        seen += page.length
        const last = page.at(-1)
        if (last === undefined) return seen
        after = { createdAt: last.createdAt, id: last.id }
      }
    }
    // Creation order is unrelated to expiry order, and many tokens share a creation time or an expiry.
    const made = Array.from({ length: COUNT }, (_, at) =>
      storedToken({
        createdAt: 1_000 + ((at * 7_919) % 97),
        expiresAt: 1_000_000 - (at % 4) * 200_000,
        tenantId: at % 3 === 0 ? 'a' : 'b',
      }),
    )
    for (let from = 0; from < COUNT; from += BATCH) {
      await commit({ inserts: made.slice(from, from + BATCH), events: [storedEvent()] })
    }
    return { commit, compare, made, store, model }
  }

  it('pages through expired Redis tokens like any other tokens, whatever the clock and tenant', async () => {
    const { compare } = await open()
    expect(await compare({ now: 399_999 })).toBe(0)
    expect(await compare({ now: 400_000 })).toBe(COUNT / 4)
    expect(await compare({ now: 1_000_000 })).toBe(COUNT)
    // This node's clock is behind.
    expect(await compare({ now: 600_000 })).toBe(COUNT / 2)
    expect(await compare({ now: 1_000_000, tenantIds: ['a'] })).toBe(Math.ceil(COUNT / 3))
    expect(await compare({ now: 700_000, statuses: ['active'] })).toBe(COUNT / 2)
    expect(await compare({ now: 1_000_000, statuses: ['active', 'expired'] })).toBe(COUNT)
  })

  it('lists expired Redis tokens correctly after some were extended, revoked, deactivated, activated or removed', async () => {
    const { commit, compare, made, store, model } = await open()
    expect(await compare({ now: 1_000_000 })).toBe(COUNT)
    const changed = async (from: number, fields: Partial<StoredToken>): Promise<void> => {
      const updates = made.slice(from, from + 100).map((record) => ({ expectedVersion: 1, record: { ...record, version: 2, ...fields } }))
      await commit({ updates, events: [storedEvent()] })
    }
    await changed(0, { expiresAt: 2_000_000 })
    await changed(100, { revokedAt: 5, revokedBy: 'bob' })
    await changed(200, { deactivatedAt: 5, deactivatedBy: 'bob' })
    await commit({ removals: made.slice(300, 400).map(({ id }) => id), events: [storedEvent()] })
    expect(await compare({ now: 1_000_000 })).toBe(COUNT - 400)
    const back = made.slice(200, 300).map((record) => ({ expectedVersion: 2, record: { ...record, version: 3 } }))
    await commit({ updates: back, events: [storedEvent()] })
    expect(await compare({ now: 1_000_000 })).toBe(COUNT - 300)
    expect(await compare({ now: 2_000_000 })).toBe(COUNT - 200)
    for (const each of [store, model]) {
      await each.revokeWhere(
        { prefix: 'acme', tenantIds: ['b'] },
        bulkStamp({ revokedAt: 9, revokedBy: 'bob' }),
        storedEvent({ action: 'token.revoked' }),
      )
    }
    const left = await compare({ now: 2_000_000 })
    expect(left).toBeGreaterThan(0)
    expect(await compare({ now: 2_000_000, tenantIds: ['b'] })).toBe(0)
  })

  it('needs at most four Redis steps for a page of expired tokens, and one step when the page is listed again', async () => {
    const client = new Redis(redis.url ?? '')
    let steps = 0
    const keyPrefix = newKeyPrefix()
    cleanups.push(
      () => client.disconnect(),
      () => removeKeys(client, keyPrefix),
    )
    const store = redisStore({
      keyPrefix,
      onWarning: () => {},
      client: {
        status: 'ready',
        evalsha(sha: string, count: number, ...args: string[]) {
          steps += 1
          return client.evalsha(sha, count, ...args)
        },
        eval: (source: string, count: number, ...args: string[]) => client.eval(source, count, ...args),
        mget: (...keys: string[]) => client.mget(...keys),
      },
    })
    // The newest tokens never expire. A list must not walk through them to reach the expired ones.
    const made = Array.from({ length: 4_000 }, (_, at) => storedToken({ createdAt: at, ...(at < 1_200 && { expiresAt: 5_000 }) }))
    for (let from = 0; from < made.length; from += BATCH) await store.commit({ inserts: made.slice(from, from + BATCH), events: [] })
    const page = (): Promise<readonly unknown[]> =>
      Promise.resolve(store.list({ prefix: 'acme', now: 6_000, limit: 50, statuses: ['expired'] }))
    steps = 0
    expect(await page()).toHaveLength(50)
    expect(steps).toBeLessThanOrEqual(4)
    steps = 0
    expect(await page()).toHaveLength(50)
    expect(steps).toBe(1)
  })
})
