import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, pause, verdict, warm } from '../latchkey/harness.js'
import { lateStore } from './late-store.js'

const HOUR_MS = 3_600_000

describe('revoke with waitForNodes', () => {
  it('answers only when a node that is behind has followed', async () => {
    const shared = memoryStore()
    const slow = lateStore(shared)
    const here = instance({ store: shared, cache: { maxStaleness: 30 } })
    const there = instance({ store: slow, cache: { maxStaleness: 30 } })
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
    ['behind', -HOUR_MS],
    ['ahead', HOUR_MS],
  ] as const) {
    it(`waits for a node whose clock is an hour ${which}`, async () => {
      const shared = memoryStore()
      const slow = lateStore(shared)
      const here = instance({ store: shared, cache: { maxStaleness: 30 } })
      const there = instance({ store: slow, cache: { maxStaleness: 30 }, clock: () => Date.now() + offset })
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
