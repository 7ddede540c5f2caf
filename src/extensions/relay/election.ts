import type { RelayClock } from './clock.js'

/** How often the reader sends a heartbeat. */
const BEAT_MS = 200
/** A node that hears no heartbeat for this long, plus a random delay of up to `JITTER_MS`, offers to read. */
const SILENCE_MS = 600
const JITTER_MS = 300
/** How long a node that has offered to read waits for better offers. */
const SETTLE_MS = 100
/** How long elections skip a node after it fails to answer, or after its own reads fail. */
const SUSPECT_MS = 10_000
const RESIGNED_MS = 3_000
const MAX_SUSPECTS = 1_000

export type Vote = 'offer' | 'beat' | 'gone'

type State = 'listening' | 'offering' | 'reading'

/**
 * Elects the node that reads for all nodes, based only on messages on the channel: the lowest ID among the offers. Correctness does not depend on the
 * result. With two readers there are more reads; without a reader each node queries the store.
 */
export class Election {
  readonly #id: string
  readonly #clock: RelayClock
  readonly #send: (vote: Vote) => void
  /** Called whenever the reader changes: to another node, to this node (with its own ID), or to none. */
  readonly #changed: (reader: string | undefined) => void
  readonly #suspects: Map<string, number> = new Map()
  #state: State = 'listening'
  #reader: string | undefined
  #heardAt = 0
  #offeredAt = Number.NEGATIVE_INFINITY
  #resignedUntil = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | undefined

  constructor(id: string, clock: RelayClock, send: (vote: Vote) => void, changed: (reader: string | undefined) => void) {
    this.#id = id
    this.#clock = clock
    this.#send = send
    this.#changed = changed
  }

  get reader(): string | undefined {
    return this.#reader
  }

  start(): void {
    this.#heardAt = this.#clock.now()
    this.#listen(SILENCE_MS)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#state === 'reading') this.#send('gone')
    this.#become('listening', undefined)
  }

  heard(vote: Vote, from: string): void {
    if (this.#cancel === undefined || from === this.#id) return
    if (vote === 'gone') {
      if (from === this.#reader) this.#miss()
      return
    }
    const now = this.#clock.now()
    const suspected = this.#suspects.get(from) ?? Number.NEGATIVE_INFINITY
    if (now < suspected) return
    if (this.#state !== 'listening') {
      // The node with the lower ID reads. A node with a higher ID receives our heartbeats and steps down.
      if (from > this.#id) return
      this.#become('listening', vote === 'beat' ? from : undefined)
      this.#heardAt = now
      this.#listen(SILENCE_MS)
      return
    }
    if (vote === 'offer') {
      this.#offeredAt = now
      return
    }
    const silent = now - this.#heardAt >= SILENCE_MS
    if (this.#reader !== undefined && from > this.#reader && !silent) return
    this.#heardAt = now
    if (from !== this.#reader) this.#become('listening', from)
  }

  /** Marks a reader that sends heartbeats but did not answer. */
  suspect(reader: string): void {
    if (reader === this.#id) return
    if (this.#suspects.size >= MAX_SUSPECTS) this.#suspects.clear()
    this.#suspects.set(reader, this.#clock.now() + SUSPECT_MS)
    if (reader === this.#reader) this.#miss()
  }

  /** Steps down because this node cannot read, so another node can take over. */
  resign(): void {
    if (this.#state === 'listening') return
    this.#send('gone')
    this.#resignedUntil = this.#clock.now() + RESIGNED_MS
    this.#become('listening', undefined)
    this.#listen(RESIGNED_MS)
  }

  // The reader is gone. The fastest node offers first.
  #miss(): void {
    this.#heardAt = Number.NEGATIVE_INFINITY
    this.#become('listening', undefined)
    this.#listen(0)
  }

  #listen(ms: number): void {
    this.#later(ms + this.#clock.random() * JITTER_MS, () => {
      const now = this.#clock.now()
      const left = Math.max(this.#heardAt + SILENCE_MS, this.#offeredAt + SETTLE_MS + BEAT_MS, this.#resignedUntil) - now
      if (left > 0) return this.#listen(left)
      this.#become('offering', undefined)
      this.#send('offer')
      this.#later(SETTLE_MS, () => {
        this.#become('reading', this.#id)
        this.#beat()
      })
    })
  }

  #beat(): void {
    this.#send('beat')
    this.#later(BEAT_MS, () => this.#beat())
  }

  #become(state: State, reader: string | undefined): void {
    this.#state = state
    if (reader === this.#reader) return
    this.#reader = reader
    this.#changed(reader)
  }

  #later(ms: number, run: () => void): void {
    this.#cancel?.()
    this.#cancel = this.#clock.after(ms, run)
  }
}
