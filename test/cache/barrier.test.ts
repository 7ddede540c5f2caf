import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { boundOfNode, nodeIdOf } from '../../src/policy/cache-bounds.js'
import { instance, mint, pause, verdict, warm } from '../latchkey/harness.js'
import { lateStore } from './late-store.js'

const HOUR_MS = 3_600_000

/** An instance beside a node that no longer renews its lease, a token of it, and the number of times that it has called these methods of the store. */
async function besideDeadNode(maxStaleness: number, methods: readonly string[]) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const shared = memoryStore()
  let looks = 0
  const store = interceptStore(shared, ({ method }, proceed) => {
    if (methods.includes(method)) looks += 1
    return proceed()
  })
  const here = instance({ store, cache: { maxStaleness } })
  const { cursor } = await shared.changes(undefined, 1)
  await shared.renewLease({ nodeId: nodeIdOf('dead', maxStaleness * 1000), cursor, expiresAt: Date.now() })
  const { record } = await mint(here)
  return { here, record, looks: () => looks }
}

describe('revoke with waitForNodes', () => {
  it('revoke() with waitForNodes resolves only when a lagging node has caught up', async () => {
    const shared = memoryStore()
    const slow = lateStore(shared)
    const here = instance({ store: shared, cache: { maxStaleness: 30 } })
    const there = instance({ store: slow, cache: { maxStaleness: 30 }, deadline: 60 })
    const { token, record } = await mint(here)
    await warm(there, token)
    // The other node's next read of the feed stays pending until the test lets it arrive.
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
    it(`waitForNodes waits for a lagging node whose clock is ${which}`, async () => {
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

  it('thousands of calls that wait for a dead node share their timers, and all resolve', { timeout: 60_000 }, async () => {
    const shared = memoryStore()
    const here = instance({ store: shared, cache: { maxStaleness: 2 }, deadline: '60s' })
    const { cursor } = await shared.changes(undefined, 1)
    const { record } = await mint(here)
    await here.system.revoke(record.id)
    await shared.renewLease({ nodeId: 'dead', cursor, expiresAt: Date.now() + HOUR_MS })
    const calls = Array.from({ length: 3_000 }, () => here.system.revoke(record.id, { waitForNodes: true }))
    await vi.waitFor(async () => expect(await here.system.get(record.id)).toBeDefined(), { timeout: 30_000 })
    const timers = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => void timers.mockRestore())
    await pause(200)
    expect(timers.mock.calls.length).toBeLessThan(1_500)
    await Promise.all(calls)
  })

  it('waitForNodes waits for a node that stopped renewing its lease, but a later call does not wait for it', async () => {
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

  it("waitForNodes waits for a disconnected node only until that node's staleness bound, after which the node accepts nothing", async () => {
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

  it.each(['available', 'fresh'] as const)(
    'overlapping calls with waitForNodes each wait for a disconnected node until its staleness bound (cache: %s)',
    async (cache) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      onTestFinished(() => void vi.useRealTimers())
      const shared = memoryStore()
      const here = instance({ store: shared, cache })
      const { cursor } = await shared.changes(undefined, 1)
      await shared.renewLease({ nodeId: nodeIdOf('cut', 100_000), cursor, expiresAt: Date.now() })
      const { record } = await mint(here)
      const revoke = () => {
        const answered = { yet: false }
        void here.system.revoke(record.id, { waitForNodes: true }).then(() => {
          answered.yet = true
        })
        return answered
      }
      const first = revoke()
      await vi.advanceTimersByTimeAsync(95_000)
      const second = revoke()
      await vi.advanceTimersByTimeAsync(4_000)
      expect([first.yet, second.yet]).toEqual([false, false])
      await vi.advanceTimersByTimeAsync(2_000)
      expect([first.yet, second.yet]).toEqual([true, false])
      // The lease has not changed for longer than the node can accept anything, so no call waits for it.
      await vi.advanceTimersByTimeAsync(90_000)
      const third = revoke()
      await vi.advanceTimersByTimeAsync(1_000)
      expect([second.yet, third.yet]).toEqual([true, true])
    },
  )

  it('concurrent calls with waitForNodes share their reads of the store', async () => {
    const { here, record, looks } = await besideDeadNode(2, ['leases', 'changes'])
    const revoked = Array.from({ length: 200 }, () => here.system.revoke(record.id, { waitForNodes: true }))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(looks()).toBeLessThan(120)
    await vi.advanceTimersByTimeAsync(1_500)
    await Promise.all(revoked)
  })

  it('the longer waitForNodes waits for a dead node, the less often it reads the store', async () => {
    const { here, record, looks } = await besideDeadNode(60, ['leases'])
    const revoked = here.system.revoke(record.id, { waitForNodes: true })
    await vi.advanceTimersByTimeAsync(400)
    expect(looks()).toBeGreaterThan(15)
    await vi.advanceTimersByTimeAsync(60_000)
    await revoked
    expect(looks()).toBeLessThan(250)
  })

  it('waitForNodes reads the staleness bound of a node from the node ID in its lease, and caps the bound', async () => {
    const shared = memoryStore()
    const there = instance({ store: shared, cache: 'available' })
    await warm(there, (await mint(there)).token)
    const [lease] = await shared.leases(0)
    expect(boundOfNode(lease?.nodeId ?? '')).toBe(305_000)
    expect(boundOfNode('node-9999999')).toBe(3_660_000)
    for (const nodeId of ['node', 'node-', 'node-1e9', 'node-12345678', '12']) expect(boundOfNode(nodeId)).toBeUndefined()
  })

  it('waitForNodes adds serveStaleFor to the staleness bound', async () => {
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

  it('no node accepts the token once waitForNodes has resolved, even if the leases cannot be read', async () => {
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

  it('waitForNodes does not wait for closed nodes', async () => {
    const shared = memoryStore()
    const here = instance({ store: shared, cache: { maxStaleness: 30 } })
    const there = instance({ store: shared, cache: { maxStaleness: 30 } })
    const { token, record } = await mint(here)
    await warm(there, token)
    await there.close()
    await here.system.revoke(record.id, { waitForNodes: true })
  })

  it('revokeAll() supports waitForNodes, and so does revoke() for a token that was already revoked', async () => {
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
