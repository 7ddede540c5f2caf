import type { FeedPage, NodeLease, TokenStore } from '../../store/port.js'
import { readFeedPage } from '../../store/read-answers.js'
import type { RelayClock } from './clock.js'
import { Lane } from './lane.js'
import type { Answer, Ask } from './messages.js'
import { Tail } from './tail.js'

/** These limits allow at most 16 reads and 4 renewals per second, regardless of the number of nodes. */
const READS = { gapMs: 80, burst: 3, collectMs: 10 } as const
const RENEWALS = { gapMs: 300, collectMs: 5 } as const
/** For this long after the feed has grown, requests are treated as urgent. */
const URGENT_MS = 100
const PAGE = 1000
const LEASES_AT_ONCE = 1000
const MAX_WAITING = 20_000
/** A slow read does not delay later requests: up to this many reads run at the same time. */
const MAX_READS = 3

/** A request from a node, and the function that answers it. */
export type Asked = { readonly ask: Ask; answer(answer: Answer): void }

type Waiting = { readonly lease: NodeLease; readonly answers: readonly ((kind: 'renewed' | 'alone') => void)[] }

/** Reads the feed and renews leases for all nodes that ask. Each read begins after the requests that it answers. */
export class Reader {
  readonly #store: TokenStore
  readonly #clock: RelayClock
  /** Called when the store fails or hangs on this node. */
  readonly #failed: () => void
  readonly #reads: Lane
  readonly #writes: Lane
  #asked: Asked[] = []
  #leases: Map<string, Waiting> = new Map()
  #tail: Tail | undefined
  #reading = 0
  /** The renewals that are being written. A slow one does not delay the next. */
  readonly #renewing: Set<Promise<void>> = new Set()
  #urgentUntil = Number.NEGATIVE_INFINITY

  /** `start` is a cursor slightly behind the positions of the nodes, if one is known. */
  constructor(store: TokenStore, clock: RelayClock, start: string | undefined, failed: () => void) {
    this.#store = store
    this.#clock = clock
    this.#failed = failed
    this.#tail = start === undefined ? undefined : this.#tailFrom(start)
    this.#reads = new Lane(clock, READS, () => void this.#read())
    this.#writes = new Lane(clock, RENEWALS, () => {
      const renewing = this.#renew()
      this.#renewing.add(renewing)
      void renewing.then(() => this.#renewing.delete(renewing))
    })
  }

  ask(asked: Asked): void {
    const { ask, answer } = asked
    if (ask.kind === 'page') {
      // A node that gets no answer queries the store itself after a while.
      if (this.#asked.length >= MAX_WAITING) return
      this.#asked.push(asked)
      // Periodic requests leave the next reads to nodes that were woken by a change.
      this.#reads.request(this.#clock.now() < this.#urgentUntil ? 'soon' : 'saved up')
      return
    }
    const { lease, nonce } = ask
    if (this.#store.renewLeases === undefined) {
      answer({ kind: 'alone', nonce })
      return
    }
    const before = this.#leases.get(lease.nodeId)
    if (before === undefined && this.#leases.size >= MAX_WAITING) return
    const answers = [...(before?.answers ?? []).slice(-7), (kind: 'renewed' | 'alone') => answer({ kind, nonce })]
    this.#leases.set(lease.nodeId, { lease, answers })
    this.#writes.request()
  }

  /** Resolves when no renewal is being written. */
  async settled(): Promise<void> {
    await Promise.all(this.#renewing)
  }

  /** Signals that the feed has grown and the nodes are being woken. */
  urge(): void {
    this.#urgentUntil = this.#clock.now() + URGENT_MS
    if (this.#asked.length > 0) this.#reads.request()
  }

  stop(): void {
    this.#reads.stop()
    this.#writes.stop()
    this.#asked = []
    this.#leases.clear()
  }

  async #read(): Promise<void> {
    const asked = this.#asked
    if (asked.length === 0) return
    if (this.#reading >= MAX_READS) return this.#failed()
    this.#asked = []
    this.#reading += 1
    try {
      const [first] = asked
      this.#tail ??= this.#tailFrom(first?.ask.kind === 'page' ? first.ask.after : '')
      const tail = this.#tail
      const after = tail.end
      const page = readFeedPage(await this.#store.changes(after, PAGE), after)
      if (page === undefined) return this.#failed()
      tail.extend(after, page, this.#clock.now())
      if (page.more || !tail.covers(page.cursor)) {
        // These requests wait for the next read, which begins after them.
        this.#asked = [...asked, ...this.#asked].slice(0, MAX_WAITING)
        this.#reads.request()
      } else answerAll(tail, asked)
    } catch {
      this.#failed()
    } finally {
      this.#reading -= 1
    }
  }

  async #renew(): Promise<void> {
    const batch = [...this.#leases].slice(0, LEASES_AT_ONCE)
    if (batch.length === 0) return
    for (const [nodeId] of batch) this.#leases.delete(nodeId)
    if (this.#leases.size > 0) this.#writes.request()
    try {
      await this.#store.renewLeases?.(batch.map(([, { lease }]) => lease))
      for (const [, { answers }] of batch) for (const answer of answers) answer('renewed')
    } catch {
      this.#failed()
    }
  }

  #tailFrom(start: string): Tail {
    return new Tail(start, (cursor, target) => this.#store.reached(cursor, target))
  }
}

function answerAll(tail: Tail, asked: readonly Asked[]): void {
  // Most nodes are at the same position.
  const pages = new Map<string, FeedPage | undefined>()
  for (const { ask, answer } of asked) {
    if (ask.kind !== 'page') continue
    const place = `${ask.limit} ${ask.after}`
    if (!pages.has(place)) pages.set(place, tail.answer(ask.after, ask.limit))
    const page = pages.get(place)
    answer(page === undefined ? { kind: 'alone', nonce: ask.nonce } : { kind: 'answer', nonce: ask.nonce, page })
  }
}
