import { bytesToHex } from '../../audit/hash.js'
import type { FeedPage, NodeLease, TokenStore } from '../../store/port.js'
import { platformRandom } from '../../token/random.js'
import { Asks } from './asks.js'
import type { RelayClock } from './clock.js'
import { Cursors } from './cursors.js'
import { Election } from './election.js'
import { identityOf } from './identity.js'
import { Lane } from './lane.js'
import { Line } from './line.js'
import type { Answer, Body, Message } from './messages.js'
import { Reader } from './reader.js'
import type { RelayTransport } from './transport.js'
import { createWire } from './wire.js'

/** The maximum pace at which nodes are woken, and at which the reader is notified of this node's own changes. */
const WAKES = { gapMs: 80, burst: 3, collectMs: 5 } as const
/** A reader that has not received its own messages for this long reports its connection as lost. */
const DEAF_MS = 1_500
/** How long to wait before querying the store for its identity again. */
const OPEN_AGAIN_MS = 5_000

type Listener = { readonly wake: () => void; readonly lost: ((error: unknown) => void) | undefined }

export type RelaySetUp = {
  readonly transport: RelayTransport
  readonly key: string
  readonly channel: string
  readonly clock: RelayClock
  /** Called for a message that was not signed for this relay. */
  refused(): void
}

/** A node's part in the relay. It sends requests to the reader, and reads for all nodes while it is the reader. */
export class Relay {
  readonly #store: TokenStore
  readonly #setUp: RelaySetUp
  readonly #id: string = bytesToHex(platformRandom(16))
  readonly #asks: Asks
  readonly #election: Election
  readonly #cursors: Cursors
  readonly #waking: Lane
  readonly #telling: Lane
  readonly #listeners: Set<Listener> = new Set()
  #line: Line | undefined
  #opening: Promise<string> | undefined
  #openAgainAt = Number.NEGATIVE_INFINITY
  #reader: Reader | undefined
  #unsubscribe: (() => void) | undefined
  #echoAt = 0
  #isLost = false

  constructor(store: TokenStore, setUp: RelaySetUp) {
    const { clock } = setUp
    this.#store = store
    this.#setUp = setUp
    this.#cursors = new Cursors(clock)
    this.#asks = new Asks(
      store,
      clock,
      (ask) => this.#toReader(ask),
      () => this.#suspect(),
    )
    this.#election = new Election(
      this.#id,
      clock,
      (kind) => this.#toAll(kind),
      (reader) => this.#readerChanged(reader),
    )
    this.#waking = new Lane(clock, WAKES, () => this.#wakeAll())
    this.#telling = new Lane(clock, WAKES, () => this.#toReader({ kind: 'wake' }))
  }

  /** Returns a page of the feed, as the store would for a call that begins now. */
  async page(after: string, limit: number): Promise<FeedPage> {
    if (!this.#isOpen()) return await this.#store.changes(after, limit)
    this.#cursors.note(after)
    return await this.#asks.page(after, limit)
  }

  async renew(lease: NodeLease): Promise<void> {
    if (this.#isOpen()) await this.#asks.renew(lease)
    else await this.#store.renewLease(lease)
  }

  /** Ends the lease of a node that is leaving. Renewals that still wait somewhere would otherwise be written afterward. */
  async release(lease: NodeLease): Promise<void> {
    this.#asks.release(lease)
    await this.#reader?.settled()
    await this.#store.renewLease(lease)
  }

  subscribe(wake: () => void, lost?: (error: unknown) => void): () => void {
    this.#isOpen()
    const listener = { wake, lost }
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Tells the reader that the feed has grown. */
  grown(): void {
    if (this.#line === undefined) return
    if (this.#reader === undefined) this.#telling.request()
    else this.#waking.request()
  }

  stop(): void {
    this.#opening = undefined
    this.#openAgainAt = Number.POSITIVE_INFINITY
    this.#election.stop()
    this.#waking.stop()
    this.#telling.stop()
    this.#asks.stop()
    const line = this.#line
    this.#line = undefined
    line?.close()
  }

  // The relay stays unused until the store's identity is known, and no caller waits for that.
  #isOpen(): boolean {
    if (this.#line !== undefined) return true
    const now = this.#setUp.clock.now()
    if (now < this.#openAgainAt) return false
    this.#openAgainAt = now + OPEN_AGAIN_MS
    const opening = identityOf(this.#store)
    this.#opening = opening
    opening.then(
      (identity) => {
        if (this.#opening === opening) this.#open(identity)
      },
      // The code that reads the feed reports the same store error.
      () => undefined,
    )
    return false
  }

  #open(identity: string): void {
    const { transport, key, channel, clock, refused } = this.#setUp
    const wire = createWire(key, channel, JSON.stringify([this.#store.name, identity]))
    this.#opening = undefined
    this.#line = new Line({
      ...{ id: this.#id, channel, transport, wire, clock, refused },
      hear: (message) => this.#hear(message),
      failed: (error) => this.#lose(error),
    })
    this.#line.open()
    this.#election.start()
  }

  #hear({ from, to, body }: Message): void {
    if (from === this.#id) {
      this.#echoAt = this.#setUp.clock.now()
      this.#isLost = false
      return
    }
    switch (body.kind) {
      case 'offer':
      case 'beat':
      case 'gone':
        this.#election.heard(body.kind, from)
        return
      case 'wake':
        if (this.#reader !== undefined && to === this.#id) this.#waking.request()
        else if (from === this.#election.reader) this.#wakeOwn()
        return
      case 'page':
      case 'lease':
        if (to === this.#id) this.#reader?.ask({ ask: body, answer: (answer) => this.#send(from, answer) })
        return
      default:
        if (to === this.#id) this.#asks.answered(body)
    }
  }

  #readerChanged(reader: string | undefined): void {
    if (reader !== this.#id) this.#endReading()
    else this.#beginReading()
    if (reader !== undefined) this.#asks.sendAgain()
  }

  #beginReading(): void {
    this.#echoAt = this.#setUp.clock.now()
    this.#reader = new Reader(this.#store, this.#setUp.clock, this.#cursors.recent(), () => this.#election.resign())
    const reader = this.#reader
    const subscribed = async (): Promise<void> => {
      const stop = await this.#store.subscribe?.(
        () => this.#waking.request(),
        (error) => this.#lose(error),
      )
      const unsubscribe = (): void => void (async () => stop?.())().catch(() => undefined)
      if (this.#reader === reader) this.#unsubscribe = unsubscribe
      else unsubscribe()
      this.#waking.request()
    }
    subscribed().catch((error: unknown) => this.#lose(error))
  }

  #endReading(): void {
    this.#reader?.stop()
    this.#reader = undefined
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  #suspect(): void {
    const { reader } = this.#election
    if (reader !== undefined) this.#election.suspect(reader)
  }

  #toAll(kind: 'offer' | 'beat' | 'gone' | 'wake'): void {
    if (this.#reader !== undefined && this.#setUp.clock.now() - this.#echoAt > DEAF_MS) {
      this.#lose(new Error("no messages arrive through the relay, not even this node's own: each node queries the store itself"))
    }
    this.#line?.send('*', { kind })
  }

  #toReader(body: Body): void {
    const { reader } = this.#election
    if (reader === undefined) return
    if (this.#reader === undefined) this.#send(reader, body)
    else if (body.kind === 'page' || body.kind === 'lease') {
      this.#reader.ask({ ask: body, answer: (answer: Answer) => this.#asks.answered(answer) })
    }
  }

  #send(to: string, body: Body): void {
    this.#line?.send(to, body)
  }

  #wakeAll(): void {
    if (this.#reader === undefined) return
    this.#reader.urge()
    this.#wakeOwn()
    this.#toAll('wake')
  }

  #wakeOwn(): void {
    for (const { wake } of this.#listeners) wake()
  }

  #lose(error: unknown): void {
    if (this.#isLost) return
    this.#isLost = true
    for (const { lost } of this.#listeners) lost?.(error)
  }
}
