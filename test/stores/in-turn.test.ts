import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inTurn, sharesOf } from '../../adapters/stores/sql/in-turn.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A pool that hands out connections immediately and counts them. */
const pool = () => {
  let out = 0
  const released = vi.fn(() => {
    out -= 1
  })
  const take = vi.fn(async () => {
    out += 1
    return { release: released }
  })
  return { take, released, out: () => out }
}

const settled = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(0))

describe('waiting in turn for a connection of a pool', () => {
  it('a pool queue keeps calls within the connection limit and in order', async () => {
    const { take, out } = pool()
    const turn = inTurn(2, take)
    const order: number[] = []
    const leases = [0, 1, 2, 3].map(async (number) => {
      const lease = await turn()
      order.push(number)
      return lease
    })
    await settled()
    expect(out()).toBe(2)
    ;(await leases[0])?.release()
    await settled()
    expect(order).toEqual([0, 1, 2])
    ;(await leases[1])?.release()
    await settled()
    expect(order).toEqual([0, 1, 2, 3])
    expect(out()).toBe(2)
  })

  it('a pool queue requests no connection for calls that waited too long', async () => {
    const { take } = pool()
    const turn = inTurn(1, take)
    const held = await turn()
    const late = Array.from({ length: 50 }, () => turn().catch((error) => error.code))
    await vi.advanceTimersByTimeAsync(5_001)
    const fresh = turn()
    expect(await Promise.all(late)).toEqual(late.map(() => 'ETIMEDOUT'))
    expect(take).toHaveBeenCalledTimes(1)
    held.release()
    await fresh
    expect(take).toHaveBeenCalledTimes(2)
  })

  it('a pool queue returns a connection unused if the pool provides it too late', async () => {
    const release = vi.fn()
    const turn = inTurn(1, () => new Promise<{ release(drop?: boolean): void }>((resolve) => setTimeout(resolve, 6_000, { release })))
    const late = turn().catch((error) => error.code)
    const next = turn().catch((error) => error.code)
    await vi.advanceTimersByTimeAsync(6_000)
    expect(await late).toBe('ETIMEDOUT')
    expect(await next).toBe('ETIMEDOUT')
    expect(release.mock.calls).toEqual([[undefined]])
  })

  it('a pool queue lets the next call through when the pool fails', async () => {
    const take = vi.fn(async () => ({ release() {} })).mockRejectedValueOnce(new Error('down'))
    const turn = inTurn(1, take)
    const first = turn()
    const second = turn()
    await expect(first).rejects.toThrow('down')
    await expect(second).resolves.toBeDefined()
  })
})

describe('shares of a pool', () => {
  it('leaves most of a pool to calls other than feed reads, and always keeps one connection for reads by key', async () => {
    const { take, out } = pool()
    const { any, feed, others } = sharesOf(10, take)
    for (let call = 0; call < 20; call += 1) void feed()
    await settled()
    expect(out()).toBe(3)
    for (let call = 0; call < 20; call += 1) void others()
    await settled()
    expect(out()).toBe(10)
    const alone = sharesOf(4, pool().take)
    for (let call = 0; call < 20; call += 1) void alone.others()
    await expect(alone.any()).resolves.toBeDefined()
    expect(any).toBeTypeOf('function')
  })

  it.each([4, 5, 10])(
    'keeps two of %s connections for changes, and one more for reads by key, while reads of many rows hang',
    async (size) => {
      const { take, out } = pool()
      const { any, others, reads } = sharesOf(size, take)
      for (let call = 0; call < 100; call += 1) void reads()
      await settled()
      expect(out()).toBe(size - 3)
      await expect(others()).resolves.toBeDefined()
      await expect(others()).resolves.toBeDefined()
      void others()
      await settled()
      expect(out()).toBe(size - 1)
      await expect(any()).resolves.toBeDefined()
    },
  )

  it('lets a change proceed while reads of many rows hold their share of a pool of two', async () => {
    const { others, reads } = sharesOf(2, pool().take)
    for (let call = 0; call < 100; call += 1) void reads()
    await expect(others()).resolves.toBeDefined()
  })

  it('lets a change go ahead of reads of many rows that began to wait before it', async () => {
    const { take } = pool()
    const { others, reads } = sharesOf(5, take)
    const order: string[] = []
    const held = [await reads(), await reads(), await others(), await others()]
    void reads().then(() => order.push('read'))
    void others().then(() => order.push('change'))
    held[0]?.release()
    await settled()
    expect(order).toEqual(['change'])
  })

  it.each([1, 2, undefined])('every kind of call is served on a pool of size %s', async (size) => {
    const { take } = pool()
    const { any, feed, others, reads } = sharesOf(size, take)
    for (const share of [any, feed, others, reads, any, feed, others, reads]) (await share()).release()
    expect(take).toHaveBeenCalledTimes(8)
  })
})
