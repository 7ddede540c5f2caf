import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { UsageQuery, UsageRows } from '../../src/model/usage.js'
import { instance, mint, refusal } from '../latchkey/harness.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('the usage of a token', () => {
  it('is that of the last 30 days where no range is given', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    const count = (bucketAt: number) => ({ tokenId: record.id, bucketAt, endpoint: 'GET /', scope: '', outcome: 'allowed', count: 1 })
    const counts = [count(now - 31 * DAY), count(now - 29 * DAY), count(now)]
    await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
    expect((await tokens.system.usage(record.id)).total).toBe(2)
    expect((await tokens.system.usage(record.id, { from: now - 40 * DAY })).total).toBe(3)
    expect((await tokens.system.usage(record.id, { to: now - 10 * DAY })).total).toBe(2)
  })

  it('is refused, by the name of the field, where the range or the answer would be too large', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    const counts = Array.from({ length: 10_001 }, (_, at) => ({
      tokenId: record.id,
      bucketAt: now - Math.floor(at / 100) * HOUR,
      endpoint: `GET /${at % 100}`,
      scope: '',
      outcome: 'allowed',
      count: 1,
    }))
    await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
    expect(await refusal(tokens.system.usage(record.id))).toBe('invalid_input from')
    expect((await tokens.system.usage(record.id, { from: now - 10 * HOUR })).buckets).toHaveLength(1100)
    expect(await refusal(tokens.system.usage(record.id, { from: now - 367 * DAY }))).toBe('invalid_input from')
  })
})

describe('the usage of several tokens', () => {
  it('is added up where it is kept: a hundred busy tokens cost two rows a step', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    let rows = 0
    const store = interceptStore(inner, async ({ method }, proceed) => {
      const answer = await proceed()
      if (method === 'usage') rows += (answer as UsageRows).counts.length
      return answer
    })
    const tokens = instance({ store, clock: () => now })
    const minted = await Promise.all(Array.from({ length: 100 }, () => mint(tokens)))
    const ids = minted.map(({ record }) => record.id)
    const counts = ids.flatMap((tokenId) =>
      Array.from({ length: 1000 }, (_, at) => ({
        tokenId,
        bucketAt: now - (1 + Math.floor(at / 10)) * HOUR,
        endpoint: `GET /${at % 10}`,
        scope: '',
        outcome: at % 5 === 0 ? 'ip_denied' : 'allowed',
        count: 1,
      })),
    )
    await inner.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
    const { items } = await tokens.system.usageOf({ ids, from: now - 100 * HOUR, step: '1h' })
    expect(items).toHaveLength(100)
    for (const { total, refused, steps } of items) {
      expect([total, refused, steps.length]).toEqual([800, 200, 100])
      expect(steps[0]).toEqual({ at: new Date(now - 100 * HOUR), count: 8, refused: 2 })
    }
    expect(rows).toBe(20_000)
  })

  it('is refused where tokens and steps together are too many', async () => {
    const now = Date.UTC(2030, 5, 1)
    const tokens = instance({ clock: () => now })
    const { record } = await mint(tokens)
    const ids = (count: number): string[] => [record.id, ...Array.from({ length: count - 1 }, (_, at) => String(at).padStart(16, '0'))]
    const ask = (count: number, hours: number): Promise<string> =>
      refusal(tokens.system.usageOf({ ids: ids(count), from: now - hours * HOUR }))
    expect(await ask(100, 100)).toBe('done')
    expect(await ask(100, 101)).toBe('invalid_input step')
    expect(await ask(10, 1000)).toBe('done')
    expect(await ask(11, 1000)).toBe('invalid_input step')
    expect(await ask(1, 1001)).toBe('invalid_input step')
  })

  it('is not believed of a store that knows no limit', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    const store = { ...inner, usage: ({ limit: _, ...query }: UsageQuery) => inner.usage(query) }
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    const counts = Array.from({ length: 10_002 }, (_, at) => ({
      tokenId: record.id,
      bucketAt: now - HOUR,
      endpoint: `GET /${at}`,
      scope: '',
      outcome: 'allowed',
      count: 1,
    }))
    await inner.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
    expect(await refusal(tokens.system.usage(record.id))).toMatch(/^store_unavailable/)
  })
})
