import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore } from 'latchkey/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Latchkey } from '../../src/instance.js'
import { instance, mint, type Scope, verdict } from '../latchkey/harness.js'

/** More reads than may run at the same time. */
const READS = 80
const AT_ONCE = 64
const DEADLINE_MS = 1000

/** Starts verifications one after another, each with its own read of the store. Collects their outcomes as they arrive. */
async function crowd(tokens: Latchkey<Scope>, token: string, count: number): Promise<string[]> {
  const outcomes: string[] = []
  for (let index = 0; index < count; index += 1) {
    void verdict(tokens.verify(token)).then((outcome) => outcomes.push(outcome))
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  }
  return outcomes
}

describe('verifications that wait for a read', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('answers waiting verifications within one deadline if the store hangs, including verifications queued behind others', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: false, deadline: DEADLINE_MS / 1000, usage: false })
    const { token } = await mint(tokens)
    store.behave({ find: { do: 'hang' } })
    const outcomes = await crowd(tokens, token, READS)
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1)
    expect(outcomes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(outcomes).toEqual(Array.from({ length: READS }, () => 'store_unavailable'))
  })

  it('answers waiting verifications of different tokens within one deadline, however late their reads are sent', async () => {
    const store = heldStore(memoryStore())
    const tokens = instance({ store, cache: false, deadline: DEADLINE_MS / 1000, usage: false })
    const minted = await Promise.all(Array.from({ length: READS }, () => mint(tokens)))
    store.hold('find')
    const outcomes: string[] = []
    for (const { token } of minted) {
      void verdict(tokens.verify(token)).then((outcome) => outcomes.push(outcome))
      for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
    }
    await vi.advanceTimersByTimeAsync(600)
    // One read ends. The waiting IDs are then sent together in a read that also hangs.
    await store.waiting[0]?.release()
    await vi.advanceTimersByTimeAsync(0)
    expect(outcomes).toEqual(['ok'])
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 600)
    expect(outcomes).toHaveLength(READS)
  })

  it('a verification that waited for its turn still ends at its deadline if its read hangs', async () => {
    const store = heldStore(memoryStore())
    const tokens = instance({ store, cache: false, deadline: DEADLINE_MS / 1000, usage: false })
    const { token } = await mint(tokens)
    store.hold('find')
    const outcomes = await crowd(tokens, token, AT_ONCE + 1)
    await vi.advanceTimersByTimeAsync(600)
    await store.waiting[0]?.release()
    await vi.advanceTimersByTimeAsync(0)
    expect(outcomes).toEqual(['ok'])
    expect(store.waiting).toHaveLength(AT_ONCE)
    await vi.advanceTimersByTimeAsync(400)
    expect(outcomes).toHaveLength(AT_ONCE + 1)
  })

  it('answers waiting verifications from a read that is sent late and returns in time', async () => {
    const store = heldStore(memoryStore())
    const tokens = instance({ store, cache: false, deadline: DEADLINE_MS / 1000, usage: false })
    const { token } = await mint(tokens)
    store.hold('find')
    const outcomes = await crowd(tokens, token, READS)
    await vi.advanceTimersByTimeAsync(600)
    await store.resume('find')
    await vi.advanceTimersByTimeAsync(1)
    expect(outcomes).toEqual(Array.from({ length: READS }, () => 'ok'))
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })

  it.each([
    { late: DEADLINE_MS, what: 'however late it arrives' },
    { late: DEADLINE_MS / 2, what: 'even if it arrives before its own timeout, after all callers have stopped waiting' },
  ])('never caches a record that was read before a change, $what', async ({ late: lateMs }) => {
    const store = heldStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 60 }, deadline: DEADLINE_MS / 1000, usage: false })
    expect(await verdict(tokens.verify((await mint(tokens)).token))).toBe('ok')
    const minted = await Promise.all(Array.from({ length: READS }, () => mint(tokens)))
    store.hold('find')
    for (const { token } of minted) {
      void verdict(tokens.verify(token))
      for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
    }
    await vi.advanceTimersByTimeAsync(500)
    const last = minted.at(-1)
    if (last === undefined) throw new Error('none was minted')
    // The first reads return, which starts the last read. Its result is held back beyond its deadline.
    for (const read of store.waiting.slice(0, READS - AT_ONCE)) await read.release()
    await vi.advanceTimersByTimeAsync(0)
    const late = [...store.waiting]
    await Promise.all(late.map((read) => read.reach()))
    await vi.advanceTimersByTimeAsync(lateMs)
    store.pass('find')
    await tokens.system.revoke(last.record.id)
    await Promise.all(late.map((read) => read.release()))
    // Wait until the late answers have been processed.
    await vi.advanceTimersByTimeAsync(0)
    expect(await verdict(tokens.verify(last.token))).toBe('token_revoked')
  })
})

describe('a feed read on a dead connection', () => {
  it('reads the feed again before a read on a dead connection times out', async () => {
    const heard: string[] = []
    const store = heldStore(memoryStore())
    const tokens = instance({ store, deadline: 4, onError: ({ where }) => heard.push(where) })
    const { token } = await mint(tokens)
    store.hold('changes')
    await tokens.verify(token)
    await store.next('changes')
    store.pass('changes')
    await vi.waitFor(async () => expect((await tokens.health()).feed).toMatchObject({ ok: true, lagSeconds: expect.any(Number) }), {
      timeout: 15_000,
    })
    expect(heard).toEqual([])
    expect(store.waiting).toHaveLength(1)
  })
})
