import { memoryStore } from 'latchkey/stores/memory'
import { AWKWARD_ERRORS, faultyStore, storeContract } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { event, insert, token } from '../../src/testing/store-contract/build.js'

const prefix = 'acme'

async function settled(work: unknown, milliseconds: number): Promise<boolean> {
  const late = Symbol()
  const timer = new Promise((resolve) => setTimeout(resolve, milliseconds, late))
  return (await Promise.race([Promise.resolve(work).catch(() => {}), timer])) !== late
}

describe('faultyStore', () => {
  it('faultyStore() changes nothing without a plan', async () => {
    const store = faultyStore(memoryStore())
    const made = token(prefix)
    await insert(store, [made])
    expect(store.find([made.id])).toEqual([made])
    expect(store.calls.map(({ method, number }) => [method, number])).toEqual([
      ['commit', 1],
      ['find', 1],
    ])
  })

  it('faultyStore() fails with exactly the given error, thrown or rejected, without reaching the store', async () => {
    const honest = memoryStore()
    for (const error of AWKWARD_ERRORS) {
      for (const how of ['reject', 'throw'] as const) {
        const store = faultyStore(honest, { commit: { do: 'fail', error, how } })
        const call = (): unknown => store.commit({ inserts: [token(prefix)], events: [] })
        let caught: unknown = 'nothing'
        let thrown = true
        try {
          const answer = call()
          thrown = false
          await answer
        } catch (reason) {
          caught = reason
        }
        expect([caught, thrown]).toEqual([error, how === 'throw'])
      }
    }
    expect(honest.list({ prefix, now: 0, limit: 10 })).toEqual([])
  })

  it('faultyStore() can fail after the store has done the work', async () => {
    const store = faultyStore(memoryStore(), { commit: { do: 'fail-after', error: 'reset' } })
    const made = token(prefix)
    await expect(store.commit({ inserts: [made], events: [] })).rejects.toBe('reset')
    expect(store.find([made.id])).toEqual([made])
  })

  it('faultyStore() can hang and lose responses', async () => {
    const store = faultyStore(memoryStore(), { find: { do: 'hang' }, commit: { do: 'lose-answer' } })
    const made = token(prefix)
    expect(await settled(store.find([made.id]), 20)).toBe(false)
    expect(await settled(store.commit({ inserts: [made], events: [] }), 20)).toBe(false)
    store.behave()
    expect(store.find([made.id])).toEqual([made])
  })

  it('faultyStore() drops, duplicates and answers calls as planned', async () => {
    const store = faultyStore(memoryStore(), ({ method, number }) => {
      if (method === 'find') return { do: 'answer', value: true }
      return number === 1 ? { do: 'drop' } : { do: 'duplicate' }
    })
    const made = token(prefix)
    const change = { inserts: [made], events: [event(prefix)] }
    expect(await store.commit(change)).toBe(undefined)
    expect(await store.commit(change)).toEqual({ ok: false, conflict: made.id })
    expect(store.find([made.id])).toBe(true)
    store.behave()
    expect(store.find([made.id])).toEqual([made])
  })

  it('faultyStore() lets the next call overtake a reordered call, which continues alone if no other call follows', async () => {
    const store = faultyStore(memoryStore(), ({ method, number }) => (method === 'commit' && number === 1 ? { do: 'reorder' } : undefined))
    const made = token(prefix)
    const slow = store.commit({ inserts: [{ ...made, name: 'Slow' }], events: [] })
    const quick = store.commit({ inserts: [{ ...made, name: 'Quick' }], events: [] })
    expect(await quick).toEqual({ ok: true })
    expect(await slow).toEqual({ ok: false, conflict: made.id })

    const alone = faultyStore(memoryStore(), { commit: { do: 'reorder' } })
    expect(await alone.commit({ inserts: [made], events: [] })).toEqual({ ok: true })
  })

  it('faultyStore() drops, duplicates and delays wake-ups', async () => {
    const store = faultyStore(memoryStore(), { wake: { do: 'drop' } })
    let wakes = 0
    const stop = await store.subscribe?.(() => {
      wakes += 1
    })
    const wakesAfter = async (): Promise<number> => {
      wakes = 0
      await insert(store, [token(prefix)])
      await new Promise((resolve) => setTimeout(resolve, 20))
      return wakes
    }
    expect(await wakesAfter()).toBe(0)
    store.behave({ wake: { do: 'duplicate' } })
    expect(await wakesAfter()).toBe(2)
    store.behave({ wake: { do: 'delay', milliseconds: 1 } })
    expect(await wakesAfter()).toBe(1)
    store.behave({ wake: { do: 'fail', error: undefined } })
    expect(await wakesAfter()).toBe(0)
    await stop?.()
    store.behave()
    expect(await wakesAfter()).toBe(0)
  })
})

// Each response is one turn of the event loop late, so the contract's races really happen, unlike on a store that answers immediately.
storeContract(
  { describe, it },
  {
    name: 'memory, answering late',
    operations: 500,
    create() {
      const honest = memoryStore()
      const late = () => faultyStore(honest, () => ({ do: 'delay', milliseconds: Math.random() < 0.5 ? 0 : 1 }))
      return { store: late(), second: late(), reopen: late }
    },
  },
)
