import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { type FaultyStore, faultyStore } from 'latchkey/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { codeOf, instance, mint, principalOf, type Scope, verdict } from '../latchkey/harness.js'

const down = { do: 'fail', error: new Error('down') } as const
const gone = { changes: down, find: down } as const

/** Opens a request whose token is cached. */
async function open(tokens: Latchkey<Scope>): Promise<{ id: string; token: string; signal: AbortSignal }> {
  const { token, record } = await mint(tokens)
  await verdict(tokens.verify(token))
  await vi.advanceTimersByTimeAsync(300)
  const { signal } = await principalOf(tokens.verify(token))
  await vi.advanceTimersByTimeAsync(300)
  return { id: record.id, token, signal }
}

/** Lets hanging calls end, so the instance can be closed. */
async function recover(store: FaultyStore): Promise<void> {
  store.behave()
  await vi.advanceTimersByTimeAsync(60_000)
}

describe('open requests during an outage', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('an open request ends during an outage once serveStaleFor no longer allows new requests', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 1, serveStaleFor: 10 }, usage: false })
    const { token, signal } = await open(tokens)
    store.behave(gone)
    await vi.advanceTimersByTimeAsync(9000)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(4000)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(codeOf(signal.reason)).toBe('store_unavailable')
  })

  it('ends an open request during an outage if its token expires, even within serveStaleFor', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 1, serveStaleFor: 60 }, usage: false })
    const { token } = await mint(tokens, { expiresIn: 10 })
    const { signal } = await principalOf(tokens.verify(token))
    await vi.advanceTimersByTimeAsync(500)
    store.behave(gone)
    await vi.advanceTimersByTimeAsync(9000)
    expect(signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(2000)
    expect(codeOf(signal.reason)).toBe('token_expired')
  })

  it('ends an open request once a new request with its evicted token would be refused', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 1, serveStaleFor: 60, maxEntries: 1 }, usage: false })
    const { token, signal } = await open(tokens)
    const other = await open(tokens)
    store.behave(gone)
    await vi.advanceTimersByTimeAsync(5000)
    expect(await verdict(tokens.verify(other.token))).toBe('ok')
    expect(other.signal.aborted).toBe(false)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    expect(codeOf(signal.reason)).toBe('store_unavailable')
  })

  it('ends an open request at the bound if the feed hangs and the store fails', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 1 }, deadline: 20, usage: false })
    const { signal } = await open(tokens)
    store.behave({ changes: { do: 'hang' }, find: down })
    await vi.advanceTimersByTimeAsync(700)
    expect(signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(300)
    expect(codeOf(signal.reason)).toBe('store_unavailable')
    await recover(store)
  })

  it('ends an open request within the bound of a revocation while the feed hangs', async () => {
    const shared = memoryStore()
    const store = faultyStore(shared)
    const tokens = instance({ store, cache: { maxStaleness: 1 }, deadline: 20, usage: false })
    const { id, signal } = await open(tokens)
    store.behave({ changes: { do: 'hang' } })
    await vi.advanceTimersByTimeAsync(5000)
    expect(signal.aborted).toBe(false)
    await instance({ store: shared }).system.revoke(id)
    await vi.advanceTimersByTimeAsync(1000)
    expect(codeOf(signal.reason)).toBe('token_revoked')
    await recover(store)
  })
})
