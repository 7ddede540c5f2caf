import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailableError } from '../../src/errors.js'
import { Breaker } from '../../src/store/breaker.js'
import { Allowance, DeadlineError } from '../../src/store/deadline.js'
import { GuardedStore } from '../../src/store/guarded-store.js'

function reads(clock: { now: number }) {
  const breaker = new Breaker(
    () => clock.now,
    () => undefined,
  )
  const start = () => {
    let resolve: (value: string) => void = () => undefined
    let reject: (error: unknown) => void = () => undefined
    const pending = new Promise<string>((yes, no) => {
      resolve = yes
      reject = no
    })
    const outcome = Promise.resolve(breaker.run(() => pending)).catch((error: unknown) => error)
    return {
      answer: () => {
        resolve('row')
        return outcome
      },
      hang: () => {
        reject(new DeadlineError('late'))
        return outcome
      },
      fail: () => {
        reject(new StoreUnavailableError('refused'))
        return outcome
      },
    }
  }
  return { breaker, start }
}

describe('the breaker', () => {
  it('the breaker opens after three hung reads, and lets one probe through at a time', async () => {
    const clock = { now: 0 }
    const { breaker, start } = reads(clock)
    for (const read of [start(), start(), start()]) await read.hang()
    expect(breaker.isOpen).toBe(true)
    const probe = start()
    expect(() => breaker.run(() => 'row')).toThrow('stopped answering')
    await probe.answer()
    expect(breaker.run(() => 'row')).toBe('row')
  })

  it('the breaker does not open again because of reads that were lost before the store recovered', async () => {
    const clock = { now: 0 }
    const { breaker, start } = reads(clock)
    const lost = Array.from({ length: 8 }, start)
    for (const read of lost.slice(0, 3)) await read.hang()
    expect(breaker.isOpen).toBe(true)
    await start().answer()
    for (const read of lost.slice(3)) await read.hang()
    expect(breaker.isOpen).toBe(false)
  })

  it('the breaker treats a quick failure as a response', async () => {
    const { breaker, start } = reads({ now: 0 })
    const lost = Array.from({ length: 3 }, start)
    await start().fail()
    for (const read of lost) await read.hang()
    expect(breaker.isOpen).toBe(false)
  })

  it('the breaker opens when reads sent after the last response hang', async () => {
    const { breaker, start } = reads({ now: 0 })
    await start().answer()
    for (const read of Array.from({ length: 3 }, start)) await read.hang()
    expect(breaker.isOpen).toBe(true)
  })
})

describe('a read whose caller has used part of its deadline', () => {
  const DEADLINE_MS = 2000
  const monotonic = () => performance.now()
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A store that answers each call after `takesMs`, and a function that reads it with `leftMs` left, waits that long and returns the failure, if any. */
  function slowStore(takesMs: number) {
    const speed = { takesMs, finds: 0 }
    const slow = interceptStore(memoryStore(), async ({ method }, proceed) => {
      if (method === 'find') speed.finds += 1
      await new Promise((resolve) => setTimeout(resolve, speed.takesMs))
      return proceed()
    })
    const { migrate: _, ...ready } = slow
    const store = new GuardedStore(ready, DEADLINE_MS, monotonic, () => undefined)
    const readWith = async (leftMs: number): Promise<unknown> => {
      const allowance = new Allowance({ monotonic, deadlineMs: DEADLINE_MS })
      await vi.advanceTimersByTimeAsync(DEADLINE_MS - leftMs)
      const outcome = (async () => store.sharing(allowance).find(['0'.repeat(16)]))().then(
        () => undefined,
        (error: unknown) => error,
      )
      await vi.advanceTimersByTimeAsync(leftMs)
      return await outcome
    }
    return { store, speed, readWith }
  }

  it('callers that have a few milliseconds left do not make a healthy store count as down', async () => {
    const { store, readWith } = slowStore(80)
    for (let read = 0; read < 10; read += 1) expect(await readWith(20)).toBeInstanceOf(DeadlineError)
    expect(store.isBreakerOpen).toBe(false)
  })

  it('a store that hangs counts as down although every caller has used part of its deadline', async () => {
    const { store, readWith } = slowStore(3_600_000)
    for (let read = 0; read < 3; read += 1) expect(await readWith(1500)).toBeInstanceOf(DeadlineError)
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(store.isBreakerOpen).toBe(true)
  })

  it("a probe shows that the store answers again even if the probe's caller has stopped waiting", async () => {
    const { store, speed, readWith } = slowStore(3_600_000)
    for (let read = 0; read < 3; read += 1) await readWith(1500)
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(store.isBreakerOpen).toBe(true)
    speed.takesMs = 80
    expect(await readWith(20)).toBeInstanceOf(DeadlineError)
    await vi.advanceTimersByTimeAsync(100)
    expect(store.isBreakerOpen).toBe(false)
  })

  it('a read is not sent once its deadline has passed', async () => {
    const { speed, readWith } = slowStore(80)
    expect(await readWith(0)).toBeInstanceOf(DeadlineError)
    expect(speed.finds).toBe(0)
  })

  it('a store that is closing still reads data after a call whose caller had only a few milliseconds left', async () => {
    const { store, readWith } = slowStore(80)
    store.beginClose()
    expect(await readWith(20)).toBeInstanceOf(DeadlineError)
    const allowance = new Allowance({ monotonic, deadlineMs: DEADLINE_MS })
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 20)
    const late = store
      .sharing(allowance)
      .findOne('0'.repeat(16))
      .catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(20)
    expect(await late).toBeInstanceOf(DeadlineError)
    const whole = store.findOne('0'.repeat(16))
    await vi.advanceTimersByTimeAsync(80)
    expect(await whole).toBeUndefined()
  })
})
