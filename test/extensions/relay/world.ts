import type { RelayTransport } from 'latchkey/relay'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { Follower } from '../../../src/cache/follower.js'
import { createRelayedStore } from '../../../src/extensions/relay/relayed-store.js'
import { GuardedStore } from '../../../src/store/guarded-store.js'
import { MoveWatch } from '../../../src/store/move-watch.js'
import type { OwnerChange, TokenFilter, TokenStore } from '../../../src/store/port.js'
import { Background } from '../../../src/store/timer.js'
import { FakeTime } from './fake-time.js'

export const KEY = 'kB7w2nTq0sXz9fLr4vJc8mYd1hGp6eAu'
const BOUND_MS = 2_000
const LATENCY_MS = 1

/** The treatment of a node's message by the broker: each listed message is delivered after a delay in milliseconds. An empty list drops the message. */
export type Meddle = (message: string, channel: string) => readonly { readonly message: string; readonly afterMs: number }[]

const honest: Meddle = (message) => [{ message, afterMs: LATENCY_MS }]

/** Carries messages within the process and manipulates them as a test specifies. */
export class Broker {
  /** All published messages. */
  readonly seen: { readonly channel: string; readonly message: string }[] = []
  meddle: Meddle = honest
  keeps = false
  readonly #time: FakeTime
  readonly #hearers: Map<string, Set<(message: string) => void>> = new Map()

  constructor(time: FakeTime) {
    this.#time = time
  }

  /** The broker's transport for one node. */
  transport(link: { cut: boolean }): RelayTransport {
    return {
      publish: (channel, message) => {
        if (link.cut) throw new Error('the broker is gone')
        if (this.keeps) this.seen.push({ channel, message })
        for (const each of this.meddle(message, channel)) this.#time.after(each.afterMs, () => this.deliver(channel, each.message))
      },
      subscribe: (channel, hear) => {
        const hearers = this.#hearers.get(channel) ?? new Set()
        this.#hearers.set(channel, hearers)
        const mine = (message: string): void => {
          if (!link.cut) hear(message)
        }
        hearers.add(mine)
        return () => void hearers.delete(mine)
      },
    }
  }

  deliver(channel: string, message: string): void {
    for (const hear of this.#hearers.get(channel) ?? []) hear(message)
  }
}

/** The part of a node that follows the feed. */
export type Node = {
  readonly store: TokenStore
  readonly follower: Follower
  readonly link: { cut: boolean }
  /** The time at which the node last read the feed from the store. */
  lastRead(): number
  /** Stops the node immediately, without cleanup. */
  die(): void
  /** The time at which the node learned of each change. */
  readonly heard: number[]
  readonly faults: unknown[]
}

export type World = {
  readonly time: FakeTime
  readonly broker: Broker
  /** The underlying store, which answers immediately and counts no calls. */
  readonly memory: TokenStore
  /** Calls that reached the store, with their times. */
  readonly calls: { at: number; method: string }[]
  node(options?: { key?: string; store?: TokenStore; wallMs?: number; boundMs?: number }): Node
}

/** The wall clock when the world's time is 0. */
const STARTED = Date.UTC(2030, 0, 1)

/** Creates nodes on one store and one broker, with time that the test controls. */
export function createWorld(): World {
  const time = new FakeTime()
  time.takeOver()
  const broker = new Broker(time)
  const memory = memoryStore()
  const calls: { at: number; method: string }[] = []
  const later = <T>(value: T): Promise<T> => new Promise((resolve) => time.after(LATENCY_MS, () => resolve(value)))
  const shared = interceptStore(memory, ({ method }, proceed) => {
    if (method === 'subscribe' || method === 'close') return proceed()
    calls.push({ at: time.now(), method })
    return later(proceed())
  })
  let nodes = 0

  return {
    time,
    broker,
    memory,
    calls,
    node({ key = KEY, store = shared, wallMs = 0, boundMs = BOUND_MS } = {}) {
      nodes += 1
      const name = `node${nodes}`
      const link = { cut: false }
      let dead = false
      let lastRead = Number.NEGATIVE_INFINITY
      const own = interceptStore(store, ({ method }, proceed) => {
        if (dead) return new Promise(() => undefined)
        if (method === 'changes') lastRead = time.now()
        return proceed()
      })
      const clock = {
        now: () => time.now(),
        random: () => time.random(),
        after: (ms: number, run: () => void) =>
          time.after(ms, () => {
            if (!dead) run()
          }),
      }
      const relayed = createRelayedStore(
        own,
        { transport: broker.transport(link), key, onWarning: (warning) => faults.push(warning) },
        clock,
      )
      const faults: unknown[] = []
      const heard: number[] = []
      const monotonic = (): number => time.now()
      const report = (_: string, error: unknown): void => void faults.push(error)
      const moves = new MoveWatch(relayed, { prefix: 'acme_test', monotonic, maxAgeMs: boundMs })
      const note = (): void => void heard.push(time.now())
      const listener = {
        changed: note,
        bulkChanged: (_: readonly TokenFilter[]) => note(),
        ownerChanged: (_: OwnerChange) => note(),
        everythingChanged: () => undefined,
        lost: () => undefined,
      }
      const options = {
        nodeId: () => name,
        maxStalenessMs: boundMs,
        deadlineMs: 2_000,
        clock: () => STARTED + time.now() + wallMs,
        monotonic,
        report,
      }
      const guarded = new GuardedStore(relayed, Number.POSITIVE_INFINITY, monotonic, report, moves)
      const follower = new Follower(guarded, listener, { ...options, background: new Background() })
      return {
        store: relayed,
        follower,
        link,
        heard,
        faults,
        lastRead: () => lastRead,
        die() {
          dead = true
          link.cut = true
        },
      }
    },
  }
}

/** The maximum number of calls in any second of a period. */
export function mostInASecond(calls: readonly { at: number }[], from: number, to: number): number {
  const times = calls.map(({ at }) => at).filter((at) => at >= from && at <= to)
  let most = 0
  let first = 0
  for (const [last, at] of times.entries()) {
    while ((times[first] ?? at) <= at - 1_000) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}
