import { Redis } from 'ioredis'
import { memoryStore } from 'latchkey/stores/memory'
import { type IoredisClient, redisStore } from 'latchkey/stores/redis'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createBulk } from '../../adapters/stores/redis/bulk.js'
import { givenConnection } from '../../adapters/stores/redis/connection.js'
import { scripts } from '../../adapters/stores/redis/scripts.js'
import { findTokens } from '../../adapters/stores/redis/tokens.js'
import type { StoredEvent } from '../../src/model/event.js'
import type { StoredToken } from '../../src/model/record.js'
import type { TokenCap, TokenFilter, TokenStore } from '../../src/store/port.js'
import { storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')

/** The time, tenant and count of each event, sorted because their order does not matter. */
const countsOf = (events: readonly StoredEvent[]): readonly string[] =>
  events.map(({ tenantId = 'none', count, at }) => `${at} ${tenantId} ${count}`).sort()

describe.skipIf(redis.skip)(`bulk revocation in Redis ${redis.skip ?? ''}`, () => {
  const admin = new Redis(redis.url ?? '', { lazyConnect: true })
  const cleanups: (() => unknown)[] = []
  const stamp = { revokedAt: 2_000_000_000_000, revokedBy: 'bob', revokedCode: 'bulk', bulkId: 'B'.repeat(16) } as const
  const revokeAll = () => storedEvent({ action: 'tokens.revoked', bulkId: stamp.bulkId })

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(() => admin.disconnect())

  const tenantOf = (index: number): string => (index % 3 === 0 ? 'kept' : 'ended')

  async function filled(keyPrefix: string, count: number): Promise<{ store: TokenStore; tokens: StoredToken[] }> {
    const store = redisStore({ client: admin, keyPrefix })
    cleanups.push(() => removeKeys(admin, keyPrefix))
    const tokens = Array.from({ length: count }, (_, index) =>
      storedToken({ tenantId: tenantOf(index), ownerId: `o${index % 2}`, createdAt: 1_700_000_000_000 + (index % 5) }),
    )
    for (let start = 0; start < count; start += 500) await store.commit({ inserts: tokens.slice(start, start + 500), events: [] })
    return { store, tokens }
  }

  /** A store whose process dies as soon as it has recorded a large revocation. */
  function dying(keyPrefix: string): TokenStore {
    const client: IoredisClient = {
      status: 'ready',
      evalsha: (sha, count, ...args) =>
        sha === scripts.drive.sha ? Promise.reject(new Error('gone')) : admin.evalsha(sha, count, ...args),
      eval: (source, count, ...args) => admin.eval(source, count, ...args),
      mget: (...keys) => admin.mget(...keys),
    }
    return redisStore({ client, keyPrefix })
  }

  it('a Redis bulk revocation is counted and takes effect immediately, even if its process dies before updating tokens', async () => {
    const keyPrefix = newKeyPrefix()
    const { tokens } = await filled(keyPrefix, 4_500)
    const ended = tokens.filter(({ tenantId }) => tenantId === 'ended')
    const halted = dying(keyPrefix)
    const before = (await halted.changes(undefined, 10)).cursor
    const event = revokeAll()
    expect(await halted.revokeWhere({ prefix: 'acme', tenantIds: ['ended'] }, stamp, event)).toEqual({
      count: 3_000,
      events: [{ ...event, tenantId: 'ended', count: 3_000 }],
    })

    expect(await admin.exists(`${keyPrefix}job`)).toBe(1)
    expect(await halted.events({ prefix: 'acme', limit: 5 })).toMatchObject([{ ...event, tenantId: 'ended', count: 3_000 }])
    expect(await halted.changes(before, 10)).toMatchObject({ everything: false, bulk: [{ prefix: 'acme', tenantIds: ['ended'] }] })
    const found = await halted.find(tokens.slice(0, 300).map(({ id }) => id))
    expect(found).toHaveLength(300)
    for (const token of found) {
      if (token.tenantId === 'kept') expect(token).toMatchObject({ version: 1, updatedAt: 1_700_000_000_000 })
      else expect(token).toMatchObject({ version: 2, updatedAt: stamp.revokedAt, ...stamp })
    }
    const listed = await halted.list({ prefix: 'acme', statuses: ['revoked'], now: 0, limit: 1001 })
    expect(listed.every(({ tenantId, revokedBy }) => tenantId === 'ended' && revokedBy === 'bob')).toBe(true)
    const live = await halted.list({ prefix: 'acme', statuses: ['active'], tenantIds: ['ended'], now: 0, limit: 10 })
    expect(live).toEqual([])

    // The next reader applies the revocation to the tokens.
    const healthy = redisStore({ client: admin, keyPrefix })
    await healthy.find([ended[0]?.id ?? ''])
    await expect.poll(() => admin.exists(`${keyPrefix}job`)).toBe(0)
    const pages = []
    for (let start = 0; start < tokens.length; start += 500)
      pages.push(...(await healthy.find(tokens.slice(start, start + 500).map(({ id }) => id))))
    expect(pages.filter(({ revokedAt }) => revokedAt !== undefined)).toHaveLength(3_000)
    expect(pages.every(({ tenantId, version }) => version === (tenantId === 'ended' ? 2 : 1))).toBe(true)
  })

  it('spares tokens created after a Redis bulk revocation, and refuses writers that have not seen it', async () => {
    const keyPrefix = newKeyPrefix()
    const { tokens } = await filled(keyPrefix, 4_500)
    const [kept, first, second, third] = tokens
    if (kept === undefined || first === undefined || second === undefined || third === undefined) throw new Error('no tokens')
    const store = dying(keyPrefix)
    await store.revokeWhere({ prefix: 'acme', tenantIds: ['ended'] }, stamp, revokeAll())

    const late = storedToken({ tenantId: 'ended' })
    const moved = { ...kept, version: 2, tenantId: 'ended' }
    await store.commit({ inserts: [late], updates: [{ expectedVersion: 1, record: moved }], events: [] })
    expect(await store.find([late.id, kept.id])).toEqual([late, moved])
    const stale = { expectedVersion: 1, record: { ...first, version: 2, name: 'alive' } }
    expect(await store.commit({ updates: [stale], events: [] })).toEqual({ ok: false, conflict: first.id })
    const renamed = { ...first, ...stamp, version: 3, updatedAt: stamp.revokedAt, name: 'renamed' }
    expect(await store.commit({ updates: [{ expectedVersion: 2, record: renamed }], events: [] })).toEqual({ ok: true })
    expect(await store.commit({ removals: [second.id], events: [] })).toEqual({ ok: true })

    // A second revocation waits until the first is applied, and does not count its tokens again.
    const healthy = redisStore({ client: admin, keyPrefix })
    const again = { ...stamp, revokedAt: stamp.revokedAt + 1, revokedBy: 'carol' }
    expect(await healthy.revokeWhere({ prefix: 'acme', ownerId: 'o1' }, again, revokeAll())).toMatchObject({ count: 750 })
    expect(await healthy.revokeWhere({ prefix: 'acme' }, again, revokeAll())).toMatchObject({ count: 751 })
    expect(await healthy.find([first.id])).toEqual([renamed])
    expect(await healthy.find([second.id])).toEqual([])
    expect(await healthy.find([late.id, third.id])).toMatchObject([
      { id: late.id, version: 2, revokedBy: 'carol' },
      { id: third.id, version: 2, revokedBy: third.tenantId === 'kept' ? 'carol' : 'bob' },
    ])
  })

  it('matches the memory store over random histories in which Redis applies every bulk revocation late', async () => {
    let seed = 20_261_122
    const roll = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
      return Math.floor((seed / 0x80000000) * below)
    }
    const keyPrefix = newKeyPrefix()
    cleanups.push(() => removeKeys(admin, keyPrefix))
    const connection = givenConnection(admin, keyPrefix)
    const bulk = createBulk(connection, { history: 1_000, channel: `${keyPrefix}wake` }, { atOnce: -1, stepSize: 2, awaited: 0 })
    await bulk.stop()
    // Nothing runs in the background. A revocation is applied only by the steps below, and by the next revocation if necessary.
    const real: TokenStore = {
      ...redisStore({ client: admin, keyPrefix }),
      revokeWhere: bulk.revoke,
      find: async (wanted) => (await findTokens(connection, wanted)).tokens,
    }
    let comparedWhilePending = 0
    let countedWhilePending = 0
    let exceeded = 0
    const model = memoryStore()
    const ids: string[] = []
    const some = (): string | undefined => (roll(3) === 0 ? undefined : `x${roll(3)}`)

    for (let turn = 0; turn < 1_500; turn += 1) {
      const choice = roll(10)
      if (choice < 4) {
        const [tenantId, ownerId] = [some(), some()]
        const token = storedToken({
          createdAt: 1_000 + roll(20),
          createdBy: `c${roll(2)}`,
          ...(tenantId && { tenantId }),
          ...(ownerId && { ownerId }),
        })
        ids.push(token.id)
        const limits = { prefix: 'acme', max: 1 + roll(20), now: 0 }
        const possible: readonly TokenCap[] = [
          ...(tenantId === undefined ? [] : [{ ...limits, tenantId }]),
          ...(ownerId === undefined ? [] : [{ ...limits, ownerId, ...(tenantId && { tenantId }) }]),
        ]
        const caps = roll(4) === 0 ? possible.slice(roll(2)) : []
        const change = { inserts: [token], caps, events: [] }
        const [done, expected] = [await real.commit(change), await model.commit(change)]
        expect(done).toEqual(expected)
        countedWhilePending += caps.length === 0 ? 0 : await admin.exists(`${keyPrefix}job`)
        exceeded += expected.ok ? 0 : 1
      } else if (choice < 6 && ids.length > 0) {
        const [old] = await model.find([ids[roll(ids.length)] ?? ''])
        if (old === undefined) continue
        const record = { ...old, version: old.version + 1, name: `n${turn}`, ...(roll(3) === 0 && { tenantId: `x${roll(3)}` }) }
        const change = { updates: [{ expectedVersion: old.version - roll(2), record }], events: [] }
        expect(await real.commit(change)).toEqual(await model.commit(change))
      } else if (choice === 6 && ids.length > 0) {
        const change = { removals: [ids[roll(ids.length)] ?? ''], events: [] }
        await Promise.all([real, model].map((each) => each.commit(change)))
      } else if (choice === 7) {
        await connection.run(scripts.drive, [1 + roll(3)])
      } else if (choice === 8 && roll(3) === 0) {
        const filter: TokenFilter = {
          prefix: 'acme',
          ...(roll(2) && { tenantIds: [`x${roll(3)}`, `x${roll(3)}`] }),
          ...(roll(2) && { ownerId: `x${roll(3)}` }),
          ...(roll(3) === 0 && { createdBy: `c${roll(2)}` }),
        }
        const by = { ...stamp, revokedAt: 5_000 + turn, revokedBy: `r${turn}` }
        const event = { ...revokeAll(), at: turn }
        // This call finishes the previous revocation and leaves its own steps for later.
        const [done, expected] = [await real.revokeWhere(filter, by, event), await model.revokeWhere(filter, by, event)]
        expect(done.count).toBe(expected.count)
        expect(countsOf(done.events)).toEqual(countsOf(expected.events))
        expect(countsOf(await real.events({ prefix: 'acme', limit: 1_000 }))).toEqual(
          countsOf(await model.events({ prefix: 'acme', limit: 1_000 })),
        )
        await bulk.stop()
      } else {
        const query = {
          prefix: 'acme',
          now: 1,
          limit: 1 + roll(30),
          ...(roll(2) && { statuses: [roll(2) ? ('revoked' as const) : ('active' as const)] }),
          ...(roll(2) && { tenantIds: ['x1', 'x2'] }),
          ...(roll(2) && { after: { createdAt: 1_000 + roll(20), id: '8' } }),
        }
        expect(await real.list(query)).toEqual(await model.list(query))
        comparedWhilePending += await admin.exists(`${keyPrefix}job`)
      }
      if (turn % 50 === 0) {
        const byId = (a: StoredToken, b: StoredToken): number => (a.id < b.id ? -1 : 1)
        expect([...(await real.find(ids))].sort(byId)).toEqual([...(await model.find(ids))].sort(byId))
      }
    }
    expect(comparedWhilePending).toBeGreaterThan(50)
    expect(countedWhilePending).toBeGreaterThan(10)
    expect(exceeded).toBeGreaterThan(10)
  })
})
