import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, until, warm } from './harness.js'

describe('health()', () => {
  it('is well before anything was asked, and reads the store once', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    expect(await tokens.health()).toEqual({
      ok: true,
      store: { ok: true, breaker: 'closed' },
      feed: { ok: true },
      usage: { pending: 0, dropped: 0 },
    })
    expect(store.calls.map(({ method }) => method).filter((method) => method !== 'migrate')).toEqual(['find'])
  })

  it('tells how far behind the feed is', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 0.2 }, deadline: 0.05 })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    const { feed } = await tokens.health()
    expect(feed.ok).toBe(true)
    expect(feed.lagSeconds).toBeGreaterThanOrEqual(0)
    store.behave({ changes: { do: 'fail', error: new Error('cut') }, wake: { do: 'drop' } })
    await until(async () => !(await tokens.health()).feed.ok)
    const cut = await tokens.health()
    expect(cut.ok).toBe(true)
    expect(cut.feed.lagSeconds).toBeGreaterThan(0.2)
    store.behave()
    await until(async () => (await tokens.health()).feed.ok)
  })

  it.each([
    ['fails', { do: 'fail', error: new Error('down') }],
    ['throws', { do: 'fail', error: null, how: 'throw' }],
    ['answers nonsense', { do: 'answer', value: 7 }],
    ['hangs', { do: 'hang' }],
  ] as const)('is not well while the store %s, and never rejects', async (_, fault) => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 0.03 })
    store.behave({ find: fault })
    expect(await tokens.health()).toMatchObject({ ok: false, store: { ok: false } })
    store.behave()
    await until(async () => (await tokens.health()).ok)
  })

  it('tells that the store is known to hang', async () => {
    const store = faultyStore(memoryStore(), { find: { do: 'hang' } })
    const tokens = instance({ store, deadline: 0.02 })
    for (let times = 0; times < 3; times += 1) await tokens.health()
    expect((await tokens.health()).store.breaker).toBe('open')
    store.behave()
    await until(async () => (await tokens.health()).store.breaker === 'closed')
  })

  it('tells what waits to be written', async () => {
    const tokens = instance({ usage: { flushEvery: 60 } })
    for (let count = 0; count < 3; count += 1) await tokens.verify((await mint(tokens)).token)
    expect((await tokens.health()).usage.pending).toBe(3)
    await tokens.flush()
    expect((await tokens.health()).usage.pending).toBe(0)
  })

  it('asked by many at once reads the store once', async () => {
    const store = heldStore(memoryStore())
    const tokens = instance({ store })
    await tokens.health()
    store.hold('find')
    const all = Array.from({ length: 50 }, () => tokens.health())
    const read = await store.next('find')
    expect(store.waiting).toHaveLength(1)
    store.pass('find')
    await read.release()
    expect((await Promise.all(all)).every(({ ok }) => ok)).toBe(true)
  })

  it('of a closed instance asks nothing and is not well', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    await tokens.close()
    const before = store.calls.length
    expect(await tokens.health()).toMatchObject({ ok: false, store: { ok: false } })
    expect(store.calls).toHaveLength(before)
  })
})
