import { memoryStore } from 'latchkey/stores/memory'
import { storeContract } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { batch, insert, token } from '../../src/testing/store-contract/build.js'

storeContract(
  { describe, it },
  {
    name: 'memory',
    create() {
      const store = memoryStore()
      // More owners in one change than the feed keeps in its history.
      const ownersChanged = Array.from({ length: 100_001 }, (_, index) => ({ ownerId: `owner-${index}` }))
      return { store, reopen: () => store, trimFeed: () => store.commit({ ownersChanged, events: [] }) }
    },
  },
)

describe('the memory store', () => {
  it('returns immutable records and events from the memory store', async () => {
    const store = memoryStore()
    const made = token('acme', { metadata: { team: { name: 'one' } }, resources: { warehouse: ['w1'] } })
    await insert(store, [made])
    const [found] = await store.find([made.id])
    const [told] = await store.events({ prefix: 'acme', limit: 1 })
    const parts = [found, found?.scopes, found?.metadata, found?.metadata?.team, found?.resources?.warehouse, told]
    expect(parts.map((part) => typeof part === 'object' && Object.isFrozen(part))).toEqual(parts.map(() => true))
    // Reads make no copies: they return the same object every time.
    expect((await store.find([made.id]))[0]).toBe(found)
  })

  it('keeps no reference to the records passed to the memory store', async () => {
    const store = memoryStore()
    const warehouses = ['w1']
    const made = token('acme', { resources: { warehouse: warehouses } })
    await insert(store, [made])
    warehouses.push('w2')
    expect((await store.find([made.id]))[0]?.resources).toEqual({ warehouse: ['w1'] })
    expect(Object.isFrozen(made)).toBe(false)
  })

  it('the memory store stores keys such as __proto__ as plain keys', async () => {
    const store = memoryStore()
    const resources = JSON.parse('{"__proto__":["w1"],"constructor":[]}')
    const made = token('acme', { resources })
    await insert(store, [made])
    const found = (await store.find([made.id]))[0]?.resources ?? {}
    expect(Object.keys(found)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
  })

  it('the memory store discards usage of unknown tokens and leases that were not renewed for a day', async () => {
    const store = memoryStore()
    await store.recordUsage(batch({ counts: [{ tokenId: 'gone', bucketAt: 0, endpoint: '', outcome: 'allowed', scope: '', count: 1 }] }))
    expect(await store.usage({ tokenIds: ['gone'] })).toEqual({ counts: [], addresses: [] })
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const nodes = async (): Promise<string[]> => (await store.leases(0)).map(({ nodeId }) => nodeId)
    for (const nodeId of ['old', 'kept']) await store.renewLease({ nodeId, cursor: '', expiresAt: 1_000 })
    vi.advanceTimersByTime(23 * 3_600_000)
    await store.renewLease({ nodeId: 'kept', cursor: '', expiresAt: 1_000 })
    expect(await nodes()).toEqual(['old', 'kept'])
    vi.advanceTimersByTime(3_600_000)
    await store.renewLease({ nodeId: 'new', cursor: '', expiresAt: 1 })
    expect(await nodes()).toEqual(['kept', 'new'])
  })

  it('answers synchronously from the memory store', async () => {
    const store = memoryStore()
    const made = token('acme')
    expect(store.commit({ inserts: [made], events: [] })).toEqual({ ok: true })
    expect(store.find([made.id])).toEqual([made])
    expect(store.list({ prefix: 'acme', now: 0, limit: 1 })).toEqual([made])
  })
})
