import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import { codeOf, instance, mint, pause, principalOf, refusal, until, warm } from './harness.js'

describe('close', () => {
  it('refuses every call from then on', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    const principal = await principalOf(tokens.verify(token))
    await tokens.close()
    const { id } = record
    const calls = [
      tokens.verify(token),
      tokens.system.create({ name: 'x', scopes: [] }),
      tokens.system.get(id),
      tokens.system.list(),
      tokens.system.update(id, { name: 'y' }),
      tokens.system.activate(id),
      tokens.system.deactivate(id),
      tokens.system.rotate(id),
      tokens.system.revoke(id),
      tokens.system.revokeAll({ all: true }),
      tokens.system.events(),
      tokens.system.usage(id),
      tokens.system.prune({ before: 0 }),
      tokens.system.ownerChanged({ ownerId: 'u1' }),
      tokens.system.ownerGone({ ownerId: 'u1' }),
      tokens.system.erase({ ownerId: 'u1' }),
    ]
    expect(new Set(await Promise.all(calls.map(refusal)))).toEqual(new Set(['closed undefined']))
    expect(() => deciderOf(tokens).decide(token)).toThrow('closed')
    expect(() => deciderOf(tokens).countUse(principal, {})).not.toThrow()
    await tokens.close()
  })

  it('closes the store when the last instance that uses it closes', async () => {
    let closed = 0
    const store = {
      ...memoryStore(),
      close: () => {
        closed += 1
      },
    }
    const [a, b] = [instance({ store }), instance({ store, prefix: 'other' })]
    await a.close()
    await a.close()
    expect(closed).toBe(0)
    await b.close()
    expect(closed).toBe(1)
  })

  it('comes to an end, and says so, when the store hangs', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 0.03 })
    const { token } = await mint(tokens)
    await tokens.verify(token)
    store.behave({ recordUsage: { do: 'hang' }, changes: { do: 'hang' }, close: { do: 'hang' }, renewLease: { do: 'hang' } })
    expect(codeOf(await tokens.close().catch((error: unknown) => error))).toBe('store_unavailable')
  })

  it('leaves no timer and no subscription behind', async () => {
    let wakes = 0
    const shared = memoryStore()
    const store = {
      ...shared,
      subscribe: (wake: () => void) => {
        wakes += 1
        const stop = shared.subscribe?.(wake)
        return async () => {
          wakes -= 1
          await (await stop)?.()
        }
      },
    }
    const tokens = instance({ store, usage: { flushEvery: 0.01 } })
    const { token } = await mint(tokens, { expiresIn: 60 })
    await warm(tokens, token)
    const { signal } = await principalOf(tokens.verify(token))
    await until(() => wakes === 1)
    await tokens.close()
    expect(wakes).toBe(0)
    expect(signal.aborted).toBe(true)
    await pause(20)
    expect(wakes).toBe(0)
  })

  it('takes one deadline after a call that is under way where the store hangs, whatever was left to write', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 1, usage: { flushEvery: 0.1 } })
    const { token, record } = await mint(tokens)
    await tokens.verify(token)
    await vi.advanceTimersByTimeAsync(300)
    await tokens.system.deactivate(record.id)
    await tokens.verify(token)
    store.behave({
      recordUsage: { do: 'hang' },
      commit: { do: 'hang' },
      changes: { do: 'hang' },
      renewLease: { do: 'hang' },
      close: { do: 'hang' },
    })
    await tokens.verify(token)
    await vi.advanceTimersByTimeAsync(500)
    // A flush and a read of the feed may be under way by now.
    const closed = tokens.close().then(
      () => 'closed',
      () => 'failed',
    )
    let outcome: string | undefined
    void closed.then((how) => {
      outcome = how
    })
    await vi.advanceTimersByTimeAsync(2001)
    expect(outcome).toBe('failed')
    expect(store.calls.some(({ method }) => method === 'close')).toBe(true)
  })

  it('goes on writing counts of a store that is slow and does not hang', async () => {
    const store = faultyStore(memoryStore(), { recordUsage: { do: 'delay', milliseconds: 20 } })
    const tokens = instance({ store: { ...store, usageRows: 1 }, deadline: 1, usage: { flushEvery: 60 } })
    for (let count = 0; count < 20; count += 1) await tokens.verify((await mint(tokens)).token)
    await tokens.close()
    expect(store.calls.filter(({ method }) => method === 'recordUsage')).toHaveLength(20)
  })
})
