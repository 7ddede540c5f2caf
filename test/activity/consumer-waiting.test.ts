import { memoryStore } from 'latchkey/stores/memory'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ConsumerState, EventQuery, TokenStore } from '../../src/store/port.js'
import { instance, mint } from '../latchkey/harness.js'

const NAMES = Array.from({ length: 20 }, (_, index) => `crm-${index}`)
const SECONDS = 8

/** One node's view of a shared store. It counts reads of consumers and event queries, and can be disconnected. */
function nodeOf(store: TokenStore) {
  const node = { reads: 0, asks: 0, saves: 0, cut: false }
  const reach = <T>(work: () => T): T => {
    if (node.cut) throw new Error('cut off')
    return work()
  }
  const own: TokenStore = Object.create(store, {
    consumers: {
      value: (prefix: string) => {
        node.reads += 1
        return reach(() => store.consumers(prefix))
      },
    },
    saveConsumer: {
      value: (state: ConsumerState) => {
        node.saves += 1
        return reach(() => store.saveConsumer(state))
      },
    },
    events: {
      value: (query: EventQuery) => {
        node.asks += 1
        return reach(() => store.events(query))
      },
    },
    placeEvents: {
      value: (prefix: string) => {
        node.asks += 1
        return reach(() => store.placeEvents?.(prefix) ?? [])
      },
    },
  })
  const seen: string[] = []
  // Upkeep is off, because it reads consumers too.
  const tokens = instance({ store: own, notices: false })
  const begin = () => NAMES.map((name) => tokens.system.consume(name, () => void seen.push(name)))
  return { node, tokens, seen, begin }
}

/** Two nodes with the same consumers. The first node reads all of them. */
async function readerAndWaiting() {
  const store = memoryStore()
  const [reader, waiting] = [nodeOf(store), nodeOf(store)]
  const held = reader.begin()
  await vi.advanceTimersByTimeAsync(2_000)
  waiting.begin()
  await vi.advanceTimersByTimeAsync(20_000)
  return { reader, waiting, held }
}

/** Long enough for idle consumers to become quiet, after half a minute, and for their last short claims to expire. */
const quiet = () => vi.advanceTimersByTimeAsync(40_000)

const all = NAMES.toSorted()

describe('consumers that wait for another node', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
  })

  it('a node that waits for consumers reads the store once a second for all of them together, and the node that runs them does not', async () => {
    const { reader, waiting } = await readerAndWaiting()
    const before = [reader.node.reads, waiting.node.reads] as const
    await vi.advanceTimersByTimeAsync(SECONDS * 1_000)
    expect(reader.node.reads - before[0]).toBe(0)
    expect(Math.abs(waiting.node.reads - before[1] - SECONDS)).toBeLessThanOrEqual(1)
  })

  it('a waiting consumer takes over at its next check after the other node has stopped', async () => {
    const { reader, waiting, held } = await readerAndWaiting()
    await Promise.all(held.map((consumer) => consumer.stop()))
    await mint(reader.tokens)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(waiting.seen.toSorted()).toEqual(all)
  })

  it("a waiting consumer takes over from a disconnected node only after that node's claims have expired", async () => {
    const { reader, waiting } = await readerAndWaiting()
    await mint(reader.tokens)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(reader.seen.toSorted()).toEqual(all)
    reader.node.cut = true
    await mint(waiting.tokens)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(waiting.seen).toEqual([])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(waiting.seen.toSorted()).toEqual(all)
  })
})

describe('idle consumers', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
  })

  it('the idle consumers of a node share one query a second and renew their claims every ten seconds', async () => {
    const { reader } = await readerAndWaiting()
    await quiet()
    const { asks, saves } = reader.node
    await vi.advanceTimersByTimeAsync(60_000)
    // One query assigns positions to events from host transactions; the other reads the newest event.
    expect(reader.node.asks - asks).toBeGreaterThan(110)
    expect(reader.node.asks - asks).toBeLessThan(130)
    expect(reader.node.saves - saves).toBeGreaterThanOrEqual(6 * NAMES.length)
    expect(reader.node.saves - saves).toBeLessThan(7 * NAMES.length + 10)
  })

  it('idle consumers receive an event from the same node immediately, and an event from another node within a second', async () => {
    const { reader, waiting } = await readerAndWaiting()
    await quiet()
    await mint(reader.tokens)
    await vi.advanceTimersByTimeAsync(100)
    expect(reader.seen.toSorted()).toEqual(all)
    await quiet()
    await mint(waiting.tokens)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(reader.seen.length).toBe(2 * NAMES.length)
    expect(waiting.seen).toEqual([])
  })

  it('another node takes over idle consumers once their longer claims have expired, and not before', async () => {
    const { reader, waiting } = await readerAndWaiting()
    await quiet()
    reader.node.cut = true
    await mint(waiting.tokens)
    await vi.advanceTimersByTimeAsync(18_000)
    expect(waiting.seen).toEqual([])
    await vi.advanceTimersByTimeAsync(15_000)
    expect(waiting.seen.toSorted()).toEqual(all)
  })
})
