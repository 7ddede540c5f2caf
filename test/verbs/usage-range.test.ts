import type { TokenStore } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { UsageCount, UsageQuery, UsageRows } from '../../src/model/usage.js'
import { instance, mint, refusal } from '../latchkey/harness.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

const durationOf = (step: string): number => Number.parseInt(step, 10) * (step.endsWith('d') ? DAY : HOUR)

const use0 = (now: number): UsageCount => ({
  tokenId: 'a'.repeat(16),
  bucketAt: now - HOUR,
  endpoint: '',
  scope: '',
  outcome: 'allowed',
  count: 1,
})

/** Counts one use of each of this many endpoints, an hour ago. */
async function useEndpoints(store: TokenStore, tokenId: string, now: number, endpoints: number): Promise<void> {
  const one = { tokenId, bucketAt: now - HOUR, scope: '', outcome: 'allowed', count: 1 } as const
  const counts = Array.from({ length: endpoints }, (_, at) => ({ ...one, endpoint: `GET /${at}` }))
  await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
}

describe('usage of a token', () => {
  it('reports the usage of the last 30 days if no range is passed', async () => {
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

  it('limits the counts to the requested range, but reports every address that is kept', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    const counts = [{ tokenId: record.id, bucketAt: now - DAY, endpoint: 'GET /', scope: '', outcome: 'allowed', count: 2 }]
    const addresses = [{ tokenId: record.id, ip: '192.0.2.1', count: 2, lastAt: now - DAY }]
    await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses, lastUses: [] })
    for (const [hours, total] of [
      [1, 0],
      [48, 2],
    ] as const) {
      const report = await tokens.system.usage(record.id, { from: now - hours * HOUR })
      expect([report.total, report.addresses]).toEqual([total, [{ ip: '192.0.2.1', count: 2, lastAt: new Date(now - DAY) }]])
    }
  })

  it('refuses a usage report whose range or size is too large, and names the field', async () => {
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
  it('a month of heavy usage is refused in hourly steps and reported in daily steps', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    const hours = 30 * 24
    const counts = Array.from({ length: hours * 25 }, (_, at) => ({
      tokenId: record.id,
      bucketAt: now - (1 + Math.floor(at / 25)) * HOUR,
      endpoint: `GET /${at % 25}`,
      scope: at % 25 === 0 ? 'stock:read' : '',
      outcome: at % 25 === 1 ? 'ip_denied' : 'allowed',
      count: 2,
    }))
    const addresses = [{ tokenId: record.id, ip: '192.0.2.1', count: 7, lastAt: now }]
    await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses, lastUses: [] })
    expect(await refusal(tokens.system.usage(record.id))).toBe('invalid_input from')
    const report = await tokens.system.usage(record.id, { from: now - 30 * DAY, step: '1d' })
    expect(report).toMatchObject({ total: 2 * hours * 24, refused: 2 * hours, unusedScopes: [] })
    expect(report.buckets).toHaveLength(30 * 25)
    expect(report.buckets[0]).toEqual({
      at: new Date(now - 30 * DAY),
      endpoint: expect.any(String),
      outcome: expect.any(String),
      count: 48,
    })
    expect(report.addresses).toHaveLength(1)
    expect(report.scopes).toEqual([{ scope: 'stock:read', count: 2 * hours }])
    expect(await refusal(tokens.system.usage(record.id, { step: 1800 }))).toBe('invalid_input step')
  })

  it('reports the same totals in longer steps as in hourly steps', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    const counts = Array.from({ length: 100 }, (_, at) => ({
      tokenId: record.id,
      bucketAt: now - (1 + at) * HOUR,
      endpoint: 'GET /',
      scope: '',
      outcome: at % 3 === 0 ? 'expired' : 'allowed',
      count: at,
    }))
    await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
    const range = { from: now - 50 * HOUR, to: now - 10 * HOUR }
    const { buckets: _, ...byHour } = await tokens.system.usage(record.id, range)
    const { buckets, ...bySteps } = await tokens.system.usage(record.id, { ...range, step: '12h' })
    expect(bySteps).toEqual(byHour)
    expect([...new Set(buckets.map(({ at }) => at.getTime()))]).toEqual([50, 38, 26, 14].map((hours) => now - hours * HOUR))
  })

  it('refuses a usage report in steps that would still read too many counters', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    await useEndpoints(store, record.id, now, 10_001)
    expect(await refusal(tokens.system.usage(record.id, { step: '1d' }))).toBe('invalid_input from')
  })
})

describe('usage of several tokens', () => {
  it('adds up usage inside the store, and no call to the store adds up more than 10,000 counters', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    const summed: number[] = []
    const store = interceptStore(inner, async ({ method, args }, proceed) => {
      const answer = await proceed()
      if (method === 'usage') {
        expect((args[0] as UsageQuery).limit).toBe(10_000)
        summed.push((answer as UsageRows).summed ?? Number.NaN)
      }
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
    expect(Math.max(...summed)).toBe(10_000)
    expect(summed.reduce((all, count) => all + count, 0)).toBeLessThan(200_000)
  })

  it('adds up the counters of one very busy token among quiet ones part by part, in steps of any length', async () => {
    const now = Date.UTC(2030, 5, 1)
    const store = memoryStore()
    const tokens = instance({ store, clock: () => now })
    const [busy, quiet] = [await mint(tokens), await mint(tokens)]
    const use = (tokenId: string, hours: number, endpoint: number): UsageCount => {
      const outcome = endpoint % 50 === 0 ? 'ip_denied' : 'allowed'
      return { tokenId, bucketAt: now - hours * HOUR, endpoint: `GET /${endpoint}`, scope: '', outcome, count: 1 }
    }
    const HOURS = 600
    const counts = [
      ...Array.from({ length: HOURS * 50 }, (_, at) => use(busy.record.id, 1 + Math.floor(at / 50), at % 50)),
      use(quiet.record.id, 1, 1),
      use(quiet.record.id, HOURS, 1),
    ]
    await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] })
    const ids = [quiet.record.id, busy.record.id]
    for (const [from, step, length] of [
      [now - HOURS * HOUR, '1h', HOURS],
      [now - HOURS * HOUR - HOUR / 2, '1h', HOURS],
      [now - HOURS * HOUR - HOUR / 2, '7h', Math.ceil(HOURS / 7)],
      [now - 360 * DAY, '360d', 1],
    ] as const) {
      const { items } = await tokens.system.usageOf({ ids, from, step })
      const [ofQuiet, ofBusy] = ids.map((id) => items.find(({ tokenId }) => tokenId === id))
      expect([ofQuiet, ofBusy]).toMatchObject([
        { total: 2, refused: 0 },
        { total: 49 * HOURS, refused: HOURS },
      ])
      const steps = ofBusy?.steps ?? []
      expect(steps).toHaveLength(length)
      expect(steps.reduce((all, { count }) => all + count, 0)).toBe(49 * HOURS)
      const sizes = steps.map(({ at }) => (at.getTime() - from) % durationOf(step))
      expect(new Set(sizes)).toEqual(new Set([0]))
    }
  })

  it('refuses a usage report that would add up more than 500,000 counters, and stops reading', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    let reads = 0
    const usage = ({ tokenIds, limit = 0 }: UsageQuery): UsageRows => {
      reads += 1
      return { counts: [], addresses: [], summed: Math.min(limit, 6000 * tokenIds.length) }
    }
    const tokens = instance({ store: { ...inner, usage }, clock: () => now })
    const minted = await Promise.all(Array.from({ length: 100 }, () => mint(tokens)))
    const ids = minted.map(({ record }) => record.id)
    expect((await tokens.system.usageOf({ ids: ids.slice(0, 60), from: now - 14 * DAY, step: '1d' })).items).toHaveLength(60)
    expect(reads).toBeLessThan(80)
    reads = 0
    await expect(tokens.system.usageOf({ ids, from: now - 14 * DAY, step: '1d' })).rejects.toMatchObject({
      code: 'invalid_input',
      field: 'from',
      message: expect.stringContaining('selects more than 500,000 counts: request a shorter one, or fewer tokens'),
    })
    expect(reads).toBeLessThan(100)
  })

  it('adds up the many counters of a busy hour, and refuses a report only if it needs more counters than a store may add up at once', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    const inAnHour = { count: 10_001 }
    const usage = ({ limit = 0 }: UsageQuery): UsageRows => ({ counts: [], addresses: [], summed: Math.min(limit, inAnHour.count) })
    const tokens = instance({ store: { ...inner, usage }, clock: () => now })
    const { record } = await mint(tokens)
    const ask = (): Promise<string> => refusal(tokens.system.usageOf({ ids: [record.id], from: now - HOUR }))
    expect(await ask()).toBe('done')
    inAnHour.count = 100_001
    expect(await ask()).toBe('invalid_input from')
  })

  it('counters that are read twice do not count twice against the limit of a report', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    const usage = ({ tokenIds, limit = 0 }: UsageQuery): UsageRows => ({
      counts: [],
      addresses: [],
      summed: Math.min(limit, 4990 * tokenIds.length),
    })
    const tokens = instance({ store: { ...inner, usage }, clock: () => now })
    const minted = await Promise.all(Array.from({ length: 100 }, () => mint(tokens)))
    const ids = minted.map(({ record }) => record.id)
    expect((await tokens.system.usageOf({ ids, from: now - 4 * DAY, step: '1d' })).items).toHaveLength(100)
  })

  it('refuses a range of more than 366 days, however long its steps are', async () => {
    const now = Date.UTC(2030, 5, 1)
    const tokens = instance({ clock: () => now })
    const { record } = await mint(tokens)
    const ask = (from: number): Promise<string> => refusal(tokens.system.usageOf({ ids: [record.id], from, step: '400d' }))
    expect(await ask(now - 366 * DAY)).toBe('done')
    expect(await ask(now - 366 * DAY - 1)).toBe('invalid_input from')
  })

  it('reports a fault if a store adds up more counters than the limit, or does not report how many', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    for (const broken of [{ summed: 10_001 }, { summed: undefined }, { summed: 0, counts: [use0(now)] }]) {
      const usage = async (query: UsageQuery) => ({ ...(await inner.usage(query)), ...broken }) as UsageRows
      const tokens = instance({ store: { ...inner, usage }, clock: () => now })
      const { record } = await mint(tokens)
      expect(await refusal(tokens.system.usageOf({ ids: [record.id], from: now - DAY }))).toMatch(/^store_unavailable/)
    }
  })

  it('refuses a usage report with too many combinations of tokens and steps', async () => {
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

  it('reports a fault if a store ignores the limit of a usage report', async () => {
    const now = Date.UTC(2030, 5, 1)
    const inner = memoryStore()
    const store = { ...inner, usage: ({ limit: _, ...query }: UsageQuery) => inner.usage(query) }
    const tokens = instance({ store, clock: () => now })
    const { record } = await mint(tokens)
    await useEndpoints(inner, record.id, now, 10_002)
    expect(await refusal(tokens.system.usage(record.id))).toMatch(/^store_unavailable/)
  })
})
