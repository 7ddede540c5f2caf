import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
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
