import type { RefusalCode } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import type { Filtered } from '../store/compile-filter.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { aboutToken } from './about-token.js'

/** One token and one code make at most one event in this time. */
const WINDOW_MS = 60_000
/** All tokens of a node together make at most this many events in that time. */
const BUDGET = 120
const MAX_KEYS = 2000
const EVENTS_A_COMMIT = 120
/** What a refused use may be called. */
export type UseRefusal = RefusalCode | 'scope_insufficient' | 'resource_denied'

type Tally = {
  readonly code: UseRefusal
  readonly about: Filtered
  count: number
  ip: string | undefined
  lastAt: number
  /** On the monotonic clock; before it, further refusals are only counted. */
  quietUntil: number
}

/**
 * Puts refused uses of known tokens into the audit, coalesced: a flood makes a handful of events with large counts.
 *
 * Their budget is their own, so they can never hold up or drown the events of changes.
 */
export class RefusalRecorder {
  readonly #store: GuardedStore
  readonly #prefix: string
  readonly #monotonic: () => number
  readonly #announce: (events: readonly StoredEvent[]) => void
  readonly #tallies: Map<string, Tally> = new Map()
  #overflow = 0
  #windowEndsAt = 0
  #left = BUDGET
  #unsent: readonly StoredEvent[] = []
  #sending: Promise<void> | undefined

  constructor(options: {
    store: GuardedStore
    prefix: string
    monotonic: () => number
    announce: (events: readonly StoredEvent[]) => void
  }) {
    this.#store = options.store
    this.#prefix = options.prefix
    this.#monotonic = options.monotonic
    this.#announce = options.announce
  }

  /** Is there an event to write now? */
  get pending(): boolean {
    return this.#unsent.length > 0 || this.#overflow > 0 || [...this.#tallies.values()].some((tally) => tally.count > 0)
  }

  note(entry: Filtered, code: UseRefusal, now: number, ip: string | undefined): void {
    const key = `${entry.id} ${code}`
    let tally = this.#tallies.get(key)
    if (tally === undefined) {
      if (this.#tallies.size >= MAX_KEYS) {
        this.#overflow += 1
        return
      }
      const { id, tenantId, ownerId, createdBy } = entry
      // A copy: the entry itself may leave the cache long before its event is written.
      tally = { code, about: { id, tenantId, ownerId, createdBy }, count: 0, ip, lastAt: now, quietUntil: 0 }
      this.#tallies.set(key, tally)
    }
    tally.count += 1
    tally.ip = ip
    tally.lastAt = now
  }

  /**
   * Writes the events that are due; with `all`, everything that was noted before this call.
   *
   * @throws StoreUnavailableError `store_unavailable`; the same events are tried again by the next flush
   */
  async flush(now: number, all: boolean): Promise<void> {
    // One at a time: two that sent the same events would each take the other's as written.
    while (this.#sending !== undefined) await this.#sending.catch(() => undefined)
    this.#sending = this.#sendAll(now, all).finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  async #sendAll(now: number, all: boolean): Promise<void> {
    await this.#sendUnsent()
    this.#unsent = this.#due(now, all)
    await this.#sendUnsent()
  }

  async #sendUnsent(): Promise<void> {
    while (this.#unsent.length > 0) {
      const events = this.#unsent.slice(0, EVENTS_A_COMMIT)
      const result = await this.#store.commit({ events })
      this.#unsent = this.#unsent.slice(EVENTS_A_COMMIT)
      // A conflict means that an earlier try, whose answer was lost, wrote them.
      if (result.ok) this.#announce(events)
    }
  }

  #due(now: number, all: boolean): StoredEvent[] {
    const tick = this.#monotonic()
    if (tick >= this.#windowEndsAt) {
      this.#windowEndsAt = tick + WINDOW_MS
      this.#left = BUDGET
    }
    const events: StoredEvent[] = []
    for (const [key, tally] of this.#tallies) {
      if (!all && tick < tally.quietUntil) continue
      if (tally.count === 0) this.#tallies.delete(key)
      else if (this.#left > 0 || all) events.push(this.#event(tally, tick))
    }
    if (this.#overflow > 0 && (this.#left > 0 || all)) events.push(this.#overflowEvent(now))
    return events
  }

  #event(tally: Tally, tick: number): StoredEvent {
    const { code, count, ip, about, lastAt } = tally
    this.#left -= 1
    tally.count = 0
    tally.quietUntil = tick + WINDOW_MS
    return {
      id: generateId(platformRandom),
      at: lastAt,
      action: 'token.refused',
      prefix: this.#prefix,
      actorId: `token:${about.id}`,
      ...aboutToken(about),
      ...(ip !== undefined && { ip }),
      code,
      count,
    }
  }

  #overflowEvent(at: number): StoredEvent {
    const count = this.#overflow
    this.#overflow = 0
    this.#left -= 1
    return {
      id: generateId(platformRandom),
      at,
      action: 'token.refused',
      prefix: this.#prefix,
      actorId: 'system',
      count,
      details: { tokens: 'various' },
    }
  }
}
