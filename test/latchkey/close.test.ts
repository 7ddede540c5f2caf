import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { codeOf, instance, mint, pause, principalOf, refusal, SYSTEM, until, warm } from './harness.js'

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
      tokens.create({ name: 'x', scopes: [] }, SYSTEM),
      tokens.get(id),
      tokens.list(),
      tokens.update(id, { name: 'y' }, SYSTEM),
      tokens.activate(id, SYSTEM),
      tokens.deactivate(id, SYSTEM),
      tokens.rotate(id, {}, SYSTEM),
      tokens.revoke(id, {}, SYSTEM),
      tokens.revokeAll({ all: true }, SYSTEM),
      tokens.events(),
      tokens.usage(id),
      tokens.prune({ before: 0 }),
      tokens.ownerChanged('u1'),
    ]
    expect(new Set(await Promise.all(calls.map(refusal)))).toEqual(new Set(['closed undefined']))
    expect(() => tokens.decide(token)).toThrow('closed')
    expect(() => tokens.countUse(principal, {})).not.toThrow()
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
    const tokens = instance({ store, deadlineSeconds: 0.03 })
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
    const tokens = instance({ store, usage: { flushIntervalSeconds: 0.01 } })
    const { token } = await mint(tokens, { ttlSeconds: 60 })
    await warm(tokens, token)
    const { signal } = await principalOf(tokens.verify(token))
    await until(() => wakes === 1)
    await tokens.close()
    expect(wakes).toBe(0)
    expect(signal.aborted).toBe(true)
    await pause(20)
    expect(wakes).toBe(0)
  })
})
