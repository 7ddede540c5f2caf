import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FreshRead } from '../../src/activity/shared-read.js'

/** Reads that resolve when the test releases them. */
function held() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const reads: { readonly arrive: (value: number) => void; readonly fail: (error: Error) => void }[] = []
  const shared = new FreshRead(() => new Promise<number>((arrive, fail) => void reads.push({ arrive, fail })), {
    gapMs: 20,
    monotonic: () => performance.now(),
  })
  return { reads, shared }
}

describe('a read shared by many callers', () => {
  it('a shared read begins only after each of its callers has asked for it, and serves all who asked in the meantime', async () => {
    const { reads, shared } = held()
    const first = shared.next()
    const [second, third] = [shared.next(), shared.next()]
    expect(reads.length).toBe(1)
    await vi.advanceTimersByTimeAsync(100)
    expect(reads.length).toBe(1)
    reads[0]?.arrive(1)
    expect(await first).toBe(1)
    await vi.advanceTimersByTimeAsync(0)
    expect(reads.length).toBe(2)
    const fourth = shared.next()
    reads[1]?.arrive(2)
    expect(await Promise.all([second, third])).toEqual([2, 2])
    await vi.advanceTimersByTimeAsync(20)
    reads[2]?.arrive(3)
    expect(await fourth).toBe(3)
  })

  it('a shared read does not begin until the minimum gap after the previous read has passed', async () => {
    const { reads, shared } = held()
    const first = shared.next()
    reads[0]?.arrive(1)
    await first
    const second = shared.next()
    await vi.advanceTimersByTimeAsync(19)
    expect(reads.length).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(reads.length).toBe(2)
    reads[1]?.arrive(2)
    expect(await second).toBe(2)
  })

  it('a failed shared read fails for the callers who share it, but not for later callers', async () => {
    const { reads, shared } = held()
    const [first, second] = [shared.next(), shared.next()]
    reads[0]?.fail(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    await vi.advanceTimersByTimeAsync(20)
    reads[1]?.arrive(2)
    expect(await second).toBe(2)
  })
})
