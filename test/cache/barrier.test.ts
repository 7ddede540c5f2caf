import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { instance, mint, pause, verdict, warm } from '../latchkey/harness.js'
import { lateStore } from './late-store.js'

const HOUR_MS = 3_600_000

describe('revoke with waitForNodes', () => {
  it('answers only when a node that is behind has followed', async () => {
    const shared = memoryStore()
    const slow = lateStore(shared)
    const here = instance({ store: shared, cache: { maxStaleness: 30 } })
    const there = instance({ store: slow, cache: { maxStaleness: 30 }, deadline: 60 })
    const { token, record } = await mint(here)
    await warm(there, token)
    // The next read of the feed over there stays under way until the test lets it arrive.
    const held = slow.answerLate('changes')
    let answered = false
    const revoked = here.system.revoke(record.id, { waitForNodes: true }).then(() => {
      answered = true
    })
    await held.asked
    await pause(60)
    expect(answered).toBe(false)
    expect(await verdict(there.verify(token))).toBe('ok')
    held.arrive()
    await revoked
    expect(await verdict(there.verify(token))).toBe('token_revoked')
  })

  for (const [which, offset] of [
    ['an hour behind', -HOUR_MS],
    ['three hours behind', -3 * HOUR_MS],
    ['almost a day behind', -23 * HOUR_MS],
    ['years behind', -30_000 * HOUR_MS],
    ['years ahead', 30_000 * HOUR_MS],
    ['three hours ahead', 3 * HOUR_MS],
  ] as const) {
    it(`waits for a node whose clock is ${which}`, async () => {
      const shared = memoryStore()
      const slow = lateStore(shared)
      const here = instance({ store: shared, cache: { maxStaleness: 30 } })
      const there = instance({ store: slow, cache: { maxStaleness: 30 }, deadline: 60, clock: () => Date.now() + offset })
      const { token, record } = await mint(here)
      await warm(there, token)
      const held = slow.answerLate('changes')
      const revoked = here.system.revoke(record.id, { waitForNodes: true })
      await held.asked
      expect(await Promise.race([revoked.then(() => 'answered'), pause(60)])).toBeUndefined()
      held.arrive()
      await revoked
      expect(await verdict(there.verify(token))).toBe('token_revoked')
    })
  }

  it('waits for a node that died once, and no more after its lease has stood still for long', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const shared = memoryStore()
    const here = instance({ store: shared, cache: { maxStaleness: 60 } })
    const { cursor } = await shared.changes(undefined, 1)
    await shared.renewLease({ nodeId: 'dead', cursor, expiresAt: Date.now() + 20 * HOUR_MS })
    const revoke = async () => {
      const answered = { yet: false }
      const { record } = await mint(here)
      void here.system.revoke(record.id, { waitForNodes: true }).then(() => {
        answered.yet = true
      })
      return answered
    }
    const first = await revoke()
    await vi.advanceTimersByTimeAsync(30_000)
    expect(first.yet).toBe(false)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(first.yet).toBe(true)
    await vi.advanceTimersByTimeAsync(90_000)
    const second = await revoke()
    await vi.advanceTimersByTimeAsync(1000)
    expect(second.yet).toBe(true)
  })

  it('waits for a node that is cut off no longer than its bound, after which it accepts nothing', async () => {
    const shared = memoryStore()
    const cut = faultyStore(shared)
    const here = instance({ store: shared, cache: { maxStaleness: 0.3 } })
    const there = instance({ store: cut, cache: { maxStaleness: 0.3 }, deadline: 0.1 })
    const { token, record } = await mint(here)
    await warm(there, token)
    cut.behave({ changes: { do: 'hang' }, find: { do: 'fail', error: new Error('cut') }, wake: { do: 'drop' } })
    await here.system.revoke(record.id, { waitForNodes: true })
    expect(await verdict(there.verify(token))).toBe('store_unavailable')
  })

  it('counts in what onStale adds to the bound', async () => {
    const shared = memoryStore()
    const cut = faultyStore(shared)
    const cache = { maxStaleness: 0.1, serveStaleFor: 0.5 }
    const here = instance({ store: shared, cache })
    const there = instance({ store: cut, cache, deadline: 0.1 })
    const { token, record } = await mint(here)
    await warm(there, token)
    cut.behave({ changes: { do: 'fail', error: 0 }, find: { do: 'fail', error: 0 }, wake: { do: 'drop' } })
    await here.system.revoke(record.id, { waitForNodes: true })
    expect(await verdict(there.verify(token))).toBe('store_unavailable')
  })

  it('keeps its promise although the leases cannot be read', async () => {
    const shared = memoryStore()
    const { subscribe: _, ...deaf } = shared
    const blind = interceptStore(shared, ({ method }, proceed) => {
      if (method === 'leases') throw new Error('no leases')
      return proceed()
    })
    const here = instance({ store: blind, cache: { maxStaleness: 0.2 } })
    const there = instance({ store: deaf, cache: { maxStaleness: 0.2 } })
    const { token, record } = await mint(here)
    await warm(there, token)
    await here.system.revoke(record.id, { waitForNodes: true })
    expect(await verdict(there.verify(token))).toBe('token_revoked')
  })

  it('does not wait for nodes that were closed', async () => {
    const shared = memoryStore()
    const here = instance({ store: shared, cache: { maxStaleness: 30 } })
    const there = instance({ store: shared, cache: { maxStaleness: 30 } })
    const { token, record } = await mint(here)
    await warm(there, token)
    await there.close()
    await here.system.revoke(record.id, { waitForNodes: true })
  })

  it('works for revokeAll, and for a token that was revoked before', async () => {
    const shared = memoryStore()
    const here = instance({ store: shared, cache: { maxStaleness: 30 } })
    const there = instance({ store: shared, cache: { maxStaleness: 30 } })
    const { token, record } = await mint(here)
    await warm(there, token)
    await here.system.revokeAll({ all: true, waitForNodes: true })
    expect(await verdict(there.verify(token))).toBe('token_revoked')
    await here.system.revoke(record.id, { waitForNodes: true })
  })
})
