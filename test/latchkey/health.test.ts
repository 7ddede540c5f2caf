import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, heldStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, until, warm } from './harness.js'

describe('health()', () => {
  it("health() is ok on a new instance and reads only the store and the consumers' positions", async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    expect(await tokens.health()).toEqual({
      ok: true,
      store: { ok: true, breaker: 'closed' },
      feed: { ok: true },
      usage: { pending: 0, dropped: 0 },
      damagedEvents: [],
      damagedTokens: [],
      consumers: [],
    })
    // At its first use, an instance checks once whether its store is being moved.
    expect(store.calls.map(({ method }) => method).filter((method) => method !== 'migrate')).toEqual(['readMove', 'find', 'consumers'])
  })

  it('health() reports how far the feed is behind', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 0.2 }, deadline: 0.15 })
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
    ['returns garbage', { do: 'answer', value: 7 }],
    ['hangs', { do: 'hang' }],
  ] as const)('health() is not ok while the store %s, and never rejects', async (_, fault) => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 0.15 })
    store.behave({ find: fault })
    expect(await tokens.health()).toMatchObject({ ok: false, store: { ok: false } })
    store.behave()
    await until(async () => (await tokens.health()).ok)
  })

  it('health() reports that the store is known to hang', async () => {
    const store = faultyStore(memoryStore(), { find: { do: 'hang' } })
    const tokens = instance({ store, deadline: 0.15 })
    for (let times = 0; times < 3; times += 1) await tokens.health()
    expect((await tokens.health()).store.breaker).toBe('open')
    store.behave()
    await until(async () => (await tokens.health()).store.breaker === 'closed')
  })

  it('health() reports pending writes', async () => {
    const tokens = instance({ usage: { flushEvery: 60 } })
    for (let count = 0; count < 3; count += 1) await tokens.verify((await mint(tokens)).token)
    expect((await tokens.health()).usage.pending).toBe(3)
    await tokens.flush()
    expect((await tokens.health()).usage.pending).toBe(0)
  })

  it("health() reports the age of a consumer's oldest unhandled event and its last failure", async () => {
    const clock = { now: Date.now() }
    const tokens = instance({ clock: () => clock.now })
    await mint(tokens)
    let fails = true
    let seen = 0
    tokens.system.consume('siem', () => {
      seen += 1
      if (fails) throw new Error('down')
    })
    tokens.system.consume('billing', () => undefined)
    await until(() => seen === 1)
    await until(async () => (await tokens.health()).consumers[1]?.lagSeconds === 0)
    clock.now += 90_000
    const { ok, consumers } = await tokens.health()
    expect(ok).toBe(true)
    expect(consumers).toEqual([
      { name: 'siem', lagSeconds: 90, runsHere: true, failures: expect.any(Number), lastFailureSecondsAgo: expect.any(Number) },
      { name: 'billing', lagSeconds: 0, runsHere: true, failures: 0 },
    ])
    expect(consumers[0]?.failures).toBeGreaterThan(0)
    fails = false
    await until(async () => (await tokens.health()).consumers[0]?.failures === 0)
    expect((await tokens.health()).consumers[0]).toMatchObject({ lagSeconds: 0, lastFailureSecondsAgo: expect.any(Number) })
  })

  it('health() reports a consumer that another node runs', async () => {
    const store = memoryStore()
    const [one, two] = [instance({ store }), instance({ store })]
    await mint(one)
    let seen = 0
    one.system.consume('siem', () => {
      seen += 1
    })
    await until(() => seen === 1)
    two.system.consume('siem', () => undefined)
    await until(async () => (await two.health()).consumers[0]?.lagSeconds === 0)
  })

  it("every node's health() reports a lagging consumer, even after the only node that ran the consumer is gone", async () => {
    const store = memoryStore()
    const clock = { now: Date.now() }
    const [asked, gone] = [instance({ store, clock: () => clock.now }), instance({ store })]
    await mint(asked)
    const seen: string[] = []
    gone.system.consume('siem', ({ id }) => void seen.push(id))
    await until(() => seen.length === 1)
    await until(async () => (await asked.health()).consumers[0]?.lagSeconds === 0)
    expect((await asked.health()).consumers).toEqual([{ name: 'siem', lagSeconds: 0, runsHere: false, failures: 0 }])
    await gone.close()
    await mint(asked)
    clock.now += 90_000
    expect((await asked.health()).consumers).toEqual([{ name: 'siem', lagSeconds: expect.any(Number), runsHere: false, failures: 0 }])
    expect((await asked.health()).consumers[0]?.lagSeconds).toBeGreaterThanOrEqual(89)
    expect((await instance({ store, prefix: 'other' }).health()).consumers).toEqual([])
  })

  it('health() omits the lag of consumers when the store does not return their positions', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 0.15 })
    tokens.system.consume('siem', () => undefined)
    await until(async () => (await tokens.health()).consumers[0]?.lagSeconds === 0)
    for (const fault of [{ do: 'hang' }, { do: 'fail', error: new Error('down') }, { do: 'answer', value: 7 }] as const) {
      store.behave({ consumers: fault, saveConsumer: fault, events: fault })
      const { ok, consumers } = await tokens.health()
      expect(ok).toBe(true)
      expect(consumers[0]).not.toHaveProperty('lagSeconds')
    }
    store.behave()
  })

  it('concurrent health() calls read the store once', async () => {
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

  it('health() of a closed instance does not call the store and is not ok', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store })
    await tokens.close()
    const before = store.calls.length
    expect(await tokens.health()).toMatchObject({ ok: false, store: { ok: false } })
    expect(store.calls).toHaveLength(before)
  })
})
