import type { FaultReport } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { interceptStore } from '../../src/testing/faults/intercept.js'
import { instance, mint, refusal } from '../latchkey/harness.js'

const MOST = 200
const SECOND = 1_000

const namesIn = async (store: TokenStore) => (await store.consumers('acme_test')).map(({ name }) => name).filter((name) => name[0] !== '.')

/** A node on a store, with the events that its consumers received. */
function nodeOn(store: TokenStore, faults: FaultReport[] = []) {
  const tokens = instance({ store, notices: false, onError: (fault) => faults.push(fault) })
  const seen: string[] = []
  const run = (name = 'siem') => tokens.system.consume(name, ({ id }) => void seen.push(id))
  return { tokens, seen, run, forget: (name = 'siem') => tokens.system.forgetConsumer(name) }
}

const { setTimeout: later } = globalThis

/** Starts a call and advances the fake clock until the call has ended. Yields to the event loop after each simulated second. */
async function inTime<T>(call: Promise<T>): Promise<{ readonly outcome: T; readonly seconds: number }> {
  let ended = false
  const outcome = call.finally(() => {
    ended = true
  })
  outcome.catch(() => undefined)
  let seconds = 0
  for (; !ended && seconds < 60; seconds += 1) {
    await vi.advanceTimersByTimeAsync(SECOND)
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => later(resolve))
  }
  return { outcome: await outcome, seconds }
}

describe('forgetConsumer()', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
  })

  it('a forgotten consumer disappears from health(), and starts from the beginning when its name is used again', async () => {
    const { tokens, seen, run, forget } = nodeOn(memoryStore())
    await mint(tokens)
    const consumer = run()
    await vi.advanceTimersByTimeAsync(SECOND)
    await consumer.stop()
    await mint(tokens)
    expect((await tokens.health()).consumers).toMatchObject([{ name: 'siem', runsHere: false }])
    expect(await forget()).toBe(true)
    expect((await tokens.health()).consumers).toEqual([])
    expect(await forget()).toBe(false)
    run()
    await vi.advanceTimersByTimeAsync(SECOND)
    expect(seen).toHaveLength(3)
  })

  it('forgetConsumer() refuses to forget a consumer that is running on this or another node, busy or idle, and changes nothing', async () => {
    const store = memoryStore()
    const [one, two] = [nodeOn(store), nodeOn(store)]
    one.run()
    await vi.advanceTimersByTimeAsync(SECOND)
    expect((await inTime(refusal(one.forget()))).outcome).toBe('conflict undefined')
    expect((await inTime(refusal(two.forget()))).outcome).toBe('conflict undefined')
    await vi.advanceTimersByTimeAsync(60 * SECOND)
    const quiet = two.forget()
    quiet.catch(() => undefined)
    expect((await inTime(refusal(quiet))).outcome).toBe('conflict undefined')
    await expect(quiet).rejects.toThrow('a node is running the consumer "siem": stop it everywhere before you forget it')
    await mint(two.tokens)
    await vi.advanceTimersByTimeAsync(2 * SECOND)
    expect(one.seen).toHaveLength(1)
  })

  it.each([
    ['half a minute', 60, 30],
    ['six seconds', 1, 6],
  ])('forgetConsumer() waits %s for a node that died while running the consumer', async (_, ranFor, least) => {
    const store = memoryStore()
    let dead = false
    const dying = nodeOn(
      interceptStore(store, async (_, proceed) => {
        if (dead) throw new Error('cut off')
        return await proceed()
      }),
    )
    dying.run()
    await vi.advanceTimersByTimeAsync(ranFor * SECOND)
    dead = true
    const { outcome, seconds } = await inTime(nodeOn(store).forget())
    expect([outcome, await namesIn(store)]).toEqual([true, []])
    expect(seconds).toBeGreaterThanOrEqual(least)
    expect(seconds).toBeLessThan(least + 3)
  })

  it('forgetConsumer() refuses to forget a consumer that a node is just starting', async () => {
    const store = memoryStore()
    const other = nodeOn(store)
    const first = other.run()
    await vi.advanceTimersByTimeAsync(SECOND)
    await first.stop()
    const racing = interceptStore(store, async ({ method }, proceed) => {
      if (method === 'removeConsumer') {
        other.run()
        await vi.advanceTimersByTimeAsync(SECOND)
      }
      return await proceed()
    })
    expect(await refusal(nodeOn(racing).forget())).toBe('conflict undefined')
    expect(await namesIn(store)).toEqual(['siem'])
  })

  it("a frozen node resumes its forgotten consumer from that node's own position", async () => {
    const store = memoryStore()
    let frozen = false
    const waiting: (() => void)[] = []
    const node = nodeOn(
      interceptStore(store, async (_, proceed) => {
        if (frozen) await new Promise<void>((resolve) => waiting.push(resolve))
        return await proceed()
      }),
    )
    await mint(node.tokens)
    node.run()
    await vi.advanceTimersByTimeAsync(3 * SECOND)
    frozen = true
    expect((await inTime(nodeOn(store).forget())).outcome).toBe(true)
    frozen = false
    for (const go of waiting) go()
    await mint(node.tokens)
    await vi.advanceTimersByTimeAsync(60 * SECOND)
    expect(new Set(node.seen).size).toBe(2)
    expect(node.seen).toHaveLength(2)
  })

  it('forgetConsumer() removes the dead letters of a forgotten webhook, and leaves other webhooks unchanged', async () => {
    const store = memoryStore()
    const row = (name: string, position: number, holder?: string) => ({
      prefix: 'acme_test',
      name,
      version: 1,
      position,
      ...(holder !== undefined && { holder }),
    })
    const of = (id: string) => [row(`.webhook:${id}:attempts`, 3, 'e 1'), row(`.webhook:${id}:dead:7`, 2, 'e 8 0 timeout')]
    const rows = [
      row('webhook:crm', 5),
      ...of('crm'),
      row('.webhook:crm:dead:8', 0),
      row('webhook:crm.eu', 5),
      ...of('crm.eu'),
      row('.notices', 1),
    ]
    for (const each of rows) await store.saveConsumer(each)
    const { forget } = nodeOn(store)
    for (const name of ['webhook', 'webhook:crm:dead', 'crm']) expect(await forget(name)).toBe(false)
    expect(await forget('webhook:crm')).toBe(true)
    expect((await store.consumers('acme_test')).map(({ name }) => name)).toEqual(rows.slice(4).map(({ name }) => name))
  })

  it('forgetConsumer() finishes an earlier attempt that was interrupted', async () => {
    const store = memoryStore()
    for (const name of ['webhook:crm', '.webhook:crm:attempts']) {
      await store.saveConsumer({ prefix: 'acme_test', name, version: 1, position: 1 })
    }
    let removals = 0
    const failing = interceptStore(store, async ({ method }, proceed) => {
      if (method === 'removeConsumer' && removals++ === 1) throw new Error('cut off')
      return await proceed()
    })
    const { forget } = nodeOn(failing)
    expect(await refusal(forget('webhook:crm'))).toBe('store_unavailable undefined')
    expect(await forget('webhook:crm')).toBe(true)
    expect(await store.consumers('acme_test')).toEqual([])
  })

  it('forgetConsumer() requires an actor that sees every event and a valid consumer name', async () => {
    const { tokens, forget } = nodeOn(memoryStore())
    for (const actor of [{ id: 'ada', tenants: ['acme'], manages: 'all' } as const, { id: 'bob', tenants: '*', manages: 'own' } as const]) {
      expect(await refusal(tokens.as(actor).forgetConsumer('siem'))).toBe('grant_denied actor')
    }
    for (const name of ['', '.notices', 'a b', 'x'.repeat(61)]) expect(await refusal(forget(name))).toBe('invalid_input name')
    expect(await refusal(tokens.system.forgetConsumer(undefined as never))).toBe('invalid_input name')
  })

  it('closing the instance ends a waiting forgetConsumer()', async () => {
    const store = memoryStore()
    await store.saveConsumer({ prefix: 'acme_test', name: 'siem', version: 1, position: 1, holder: 'dead' })
    const { tokens, forget } = nodeOn(store)
    const call = refusal(forget())
    await vi.advanceTimersByTimeAsync(SECOND)
    await tokens.close()
    expect((await inTime(call)).outcome).not.toBe('done')
  })
})

describe('consumer names', () => {
  it(`limits consumer names to ${MOST}, reports a consumer beyond the limit, and starts it once another name is forgotten`, async () => {
    const store = memoryStore()
    const names = Array.from({ length: MOST }, (_, index) => `siem-${index}`)
    for (const name of names) await store.saveConsumer({ prefix: 'acme_test', name, version: 1, position: 0 })
    await store.saveConsumer({ prefix: 'other', name: 'siem', version: 1, position: 0 })
    const faults: FaultReport[] = []
    const { tokens, seen, run, forget } = nodeOn(store, faults)
    await mint(tokens)
    run('one-more')
    run('siem-0')
    await expect.poll(() => faults).not.toEqual([])
    expect(faults[0]).toMatchObject({ where: 'consumer', error: { code: 'conflict' } })
    expect(faults[0]?.error.message).toContain('forget one that no longer runs')
    await expect.poll(() => seen).toHaveLength(1)
    expect((await namesIn(store)).sort()).toEqual(names.toSorted())
    expect(await forget('siem-1')).toBe(true)
    await expect.poll(() => seen).toHaveLength(2)
    expect(await namesIn(store)).toContain('one-more')
  })
})
