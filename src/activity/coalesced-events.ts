import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { Dates } from '../policy/instant.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { halves, Parts } from './parts.js'

/** One kind of occasion makes at most one event in this time. */
const WINDOW_MS = 60_000
/** All kinds of a node together make at most this many events in that time. */
const BUDGET = 120
const MAX_KEYS = 2000
const EVENTS_A_COMMIT = 120

/** The fields that occasions of one kind share. */
export type Occasion = Omit<StoredEvent, 'id' | 'at' | 'prefix' | 'action' | 'ip' | 'count'>

type Tally = {
  readonly occasion: Occasion
  count: number
  ip: string | undefined
  lastAt: number
  /** On the monotonic clock; before it, further occasions are only counted. */
  quietUntil: number
}

/** How a recorder is set up. */
export type CoalescingOptions = {
  readonly store: GuardedStore
  readonly prefix: string
  readonly monotonic: () => number
  readonly announce: (events: readonly StoredEvent[]) => void
  readonly report: Report
  readonly action: StoredEvent['action']
  /** The fields of the event that counts the remaining occasions together. */
  readonly others: Occasion
}

/**
 * Puts occasions that a caller can repeat at will into the audit, coalesced: a flood makes a handful of events with large counts.
 *
 * The budget of each recorder is its own, so that one flood neither holds up nor drowns other events. Nothing here is waited for by a request.
 */
export class CoalescedEvents {
  readonly #options: CoalescingOptions
  readonly #tallies: Map<string, Tally> = new Map()
  readonly #dates: Dates = new Dates()
  #overflow = 0
  #windowEndsAt = 0
  #left = BUDGET
  #unsent: readonly StoredEvent[] = []
  readonly #parts: Parts<readonly StoredEvent[]>
  #sending: Promise<void> | undefined

  constructor(options: CoalescingOptions) {
    this.#options = options
    this.#parts = new Parts({
      store: options.store,
      write: (events) => this.#write(events),
      settle: (events) => this.#stands(events),
      halve: halves,
      drop: (events, error) => this.#drop(events, error),
    })
  }

  /** Is there an event to write now? */
  get pending(): boolean {
    const unsent = this.#unsent.length + this.#parts.left.length
    return unsent > 0 || this.#overflow > 0 || [...this.#tallies.values()].some((tally) => tally.count > 0)
  }

  /** Counts one occasion. What it has in common with others of its key is asked for once. */
  note(key: string, describe: () => Occasion, now: number, ip: string | undefined): void {
    const at = this.#dates.of(now)
    if (at === undefined) {
      this.#overflow += 1
      return
    }
    let tally = this.#tallies.get(key)
    if (tally === undefined) {
      if (this.#tallies.size >= MAX_KEYS) {
        this.#overflow += 1
        return
      }
      tally = { occasion: describe(), count: 0, ip, lastAt: at, quietUntil: 0 }
      this.#tallies.set(key, tally)
    }
    tally.count += 1
    tally.ip = ip
    tally.lastAt = at
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
    await this.#parts.send(() => this.#nextPart())
    this.#unsent = this.#due(now, all)
    await this.#parts.send(() => this.#nextPart())
    this.#parts.check()
  }

  #nextPart(): readonly StoredEvent[] | undefined {
    const part = this.#unsent.slice(0, EVENTS_A_COMMIT)
    this.#unsent = this.#unsent.slice(EVENTS_A_COMMIT)
    return part.length === 0 ? undefined : part
  }

  async #write(events: readonly StoredEvent[]): Promise<void> {
    const result = await this.#options.store.commit({ events })
    if (result.ok) this.#options.announce(events)
    // A conflict means that an earlier try, whose answer was lost, wrote them: perhaps some of them only.
    else if (events.length > 1) for (const event of events) await this.#write([event])
  }

  // Of several, each alone tells.
  async #stands(events: readonly StoredEvent[]): Promise<boolean> {
    const [event] = events
    if (event === undefined || events.length > 1) return false
    const { store, prefix } = this.#options
    return (await store.events({ prefix, id: event.id, limit: 1 })).length > 0
  }

  // The occasions are counted all the same, together with the others that no event tells apart.
  #drop(events: readonly StoredEvent[], cause: unknown): void {
    const { action, others, report } = this.#options
    for (const { details, count = 0 } of events) if (details !== others.details) this.#overflow += count
    report('flush', new StoreUnavailableError(`the store refuses an event ${action}, which is counted with others instead`, cause))
  }

  #due(now: number, all: boolean): StoredEvent[] {
    const tick = this.#options.monotonic()
    if (tick >= this.#windowEndsAt) {
      this.#windowEndsAt = tick + WINDOW_MS
      this.#left = BUDGET
    }
    const events: StoredEvent[] = []
    for (const [key, tally] of [...this.#tallies]) {
      if (!all && tick < tally.quietUntil) continue
      if (tally.count > 0 && !all && this.#left <= 0) continue
      this.#tallies.delete(key)
      if (tally.count === 0) continue
      events.push(this.#event(tally, tick))
      // Behind the others: where the budget is short, everybody's turn comes.
      this.#tallies.set(key, tally)
    }
    const at = this.#dates.of(now)
    if (at !== undefined && this.#overflow > 0 && (this.#left > 0 || all)) events.push(this.#overflowEvent(at))
    return events
  }

  #event(tally: Tally, tick: number): StoredEvent {
    const { occasion, count, ip, lastAt } = tally
    tally.count = 0
    tally.quietUntil = tick + WINDOW_MS
    return this.#make(occasion, lastAt, count, ip)
  }

  #overflowEvent(at: number): StoredEvent {
    const count = this.#overflow
    this.#overflow = 0
    return this.#make(this.#options.others, at, count, undefined)
  }

  #make({ actorId, ...occasion }: Occasion, at: number, count: number, ip: string | undefined): StoredEvent {
    this.#left -= 1
    const { action, prefix } = this.#options
    return { id: generateId(platformRandom), at, action, prefix, actorId, ...occasion, ...(ip !== undefined && { ip }), count }
  }
}
