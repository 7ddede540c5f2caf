import { Redis } from 'ioredis'
import { redisStore } from 'latchkey/stores/redis'
import { afterAll, expect, it } from 'vitest'
import { bulkStamp, storedEvent, storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys } from '../support/redis.js'
import { service } from '../support/services.js'

const redis = await service('redis')
const admin = new Redis(redis.url ?? '', { lazyConnect: true })
afterAll(() => admin.disconnect())

/** How long Redis was blocked while it revoked one token in each of this many tenants, in milliseconds. */
async function busyFor(tenants: number): Promise<number> {
  const keyPrefix = newKeyPrefix()
  const store = redisStore({ client: admin, keyPrefix })
  try {
    for (let start = 0; start < tenants; start += 1000) {
      const inserts = Array.from({ length: 1000 }, (_, at) => storedToken({ tenantId: `t${start + at}` }))
      await store.commit({ inserts, events: [] })
    }
    const event = storedEvent({ action: 'tokens.revoked', salt: '5a'.repeat(16), details: { filter: { all: true } } })
    const { count, events } = await store.revokeWhere({ prefix: 'acme' }, bulkStamp(), event)
    const distinct = (field: 'tenantId' | 'salt'): number => new Set(events.map((one) => one[field])).size
    expect([count, distinct('tenantId'), distinct('salt')]).toEqual([tenants, tenants, tenants])
    const one = await store.events({ prefix: 'acme', tenantIds: [`t${tenants - 1}`], limit: 2 })
    expect(one).toMatchObject([{ tenantId: `t${tenants - 1}`, count: 1 }])
    const calls = (await admin.slowlog('GET', 128)) as [id: number, at: number, micros: number, call: string[]][]
    return Math.max(...calls.filter(([, , , call]) => call[3] === keyPrefix).map(([, , micros]) => micros)) / 1000
  } finally {
    await store.close?.()
    await removeKeys(admin, keyPrefix)
  }
}

it.skipIf(redis.skip)(
  `revoking every token takes Redis time proportional to the number of tenants ${redis.skip ?? ''}`,
  async () => {
    // The shorter of two times, because a busy machine can pause Redis in the middle of a call.
    const few = Math.min(await busyFor(4_000), await busyFor(4_000))
    const many = Math.min(await busyFor(16_000), await busyFor(16_000))
    expect(many / few).toBeLessThan(8)
  },
  120_000,
)
