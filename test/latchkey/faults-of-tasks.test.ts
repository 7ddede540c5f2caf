import type { FaultReport, LatchkeyOptions } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Housekeeping } from '../../src/activity/housekeeping.js'
import { Background } from '../../src/store/timer.js'
import { instance, mint, principalOf, type Scope } from './harness.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** An instance whose clock breaks on demand, which causes failures other than store calls. */
function breakable(options: Partial<LatchkeyOptions<Scope>> = {}) {
  const heard: FaultReport[] = []
  const lines: string[] = []
  let broken = false
  const clock = (): number => {
    if (broken) throw new Error('the clock is broken')
    return Date.now()
  }
  const tokens = instance({ clock, onError: (fault) => heard.push(fault), logger: { error: (line) => lines.push(line) }, ...options })
  const places = (): readonly string[] => [...new Set(heard.map(({ where }) => where))].sort()
  const breakIt = (): void => {
    broken = true
  }
  return { tokens, heard, lines, places, breakIt }
}

describe('background work', () => {
  it('each failing background task is reported under its own name, repeatedly', async () => {
    const { tokens, heard, lines, places, breakIt } = breakable({
      sealing: { every: '1m' },
      usage: false,
      cache: false,
      notices: { expired: true },
    })
    await mint(tokens)
    breakIt()
    await vi.advanceTimersByTimeAsync(6_000)
    expect(places()).toEqual(['notices', 'retention', 'sealing'])
    expect(heard[0]?.error).toMatchObject({ code: 'store_unavailable', message: 'the clock option failed', cause: { name: 'Error' } })
    expect(lines.map((line) => line.split(' ').slice(0, 3).join(' ')).sort()).toEqual(
      ['notices', 'retention', 'sealing'].map((place) => `latchkey LATCHKEY_NOT_DECIDED ${place}:`),
    )
    await vi.advanceTimersByTimeAsync(10_000)
    expect(heard.filter(({ where }) => where === 'notices')).toHaveLength(2)
  })

  it('a failing check for unused tokens is reported', async () => {
    const { tokens, places, breakIt } = breakable({
      notices: { expiring: false, expired: false, rotationDue: false, oldStillUsed: false },
      cache: false,
    })
    await mint(tokens)
    breakIt()
    await vi.advanceTimersByTimeAsync(6_000)
    expect(places()).toEqual(['retention', 'unused'])
  })

  it('sealing reports a damaged seal and does not seal over it', async () => {
    const store = memoryStore()
    const { tokens, heard, places } = breakable({ store, sealing: { every: '1m' } })
    await mint(tokens)
    await store.saveSeal({ prefix: 'acme_test', number: 1, body: '{}' })
    await vi.advanceTimersByTimeAsync(6_000)
    expect(places()).toEqual(['sealing'])
    expect(heard[0]?.error.message).toContain('seal 1 of the audit log is damaged')
    expect(await store.seals({ prefix: 'acme_test', limit: 10 })).toHaveLength(1)
  })

  it('a failing flush is reported, and its counts are kept and written later', async () => {
    const { tokens, places, breakIt } = breakable({
      usage: { flushEvery: '1s' },
      cache: false,
      notices: false,
      retention: { usage: false, addresses: false },
    })
    const { token } = await mint(tokens)
    await tokens.verify(token)
    breakIt()
    await vi.advanceTimersByTimeAsync(1_500)
    expect(places()).toEqual(['flush'])
    expect((await tokens.health()).usage.pending).toBe(1)
  })

  it('failures to follow the feed and to close are reported and do not crash the process', async () => {
    const store = { ...memoryStore(), close: () => Promise.reject(new Error('busy')) }
    const { tokens, places, breakIt } = breakable({ store, usage: false, notices: false, retention: { usage: false, addresses: false } })
    const { token } = await mint(tokens)
    await tokens.verify(token)
    await vi.advanceTimersByTimeAsync(2_000)
    breakIt()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(places()).toContain('feed')
    await expect(tokens.close()).rejects.toThrow()
    expect(places()).toContain('store.close')
  })

  it('a failure to assign positions to transaction events is reported and retried a minute later', async () => {
    const heard: string[] = []
    const chores = { flush: async () => undefined, pending: () => false, sweep: () => Promise.reject(new Error('out of order')) }
    const housekeeping = new Housekeeping(chores, 1000, (where) => heard.push(where), new Background())
    housekeeping.start()
    await vi.advanceTimersByTimeAsync(120_500)
    housekeeping.stop()
    expect(heard).toEqual(['placing', 'placing'])
  })

  it("a clock that breaks aborts the token's signal without crashing the process", async () => {
    const { tokens, places, breakIt } = breakable({ notices: false, retention: { usage: false, addresses: false } })
    const { token } = await mint(tokens, { expiresIn: '10s' })
    const { signal } = await principalOf(tokens.verify(token))
    expect(signal.aborted).toBe(false)
    breakIt()
    await vi.advanceTimersByTimeAsync(11_000)
    expect([signal.aborted, places().includes('verify')]).toEqual([true, true])
  })
})
