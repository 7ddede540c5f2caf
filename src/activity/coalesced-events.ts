import { Shares } from '../cache/bounded-map.js'
import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import { Dates } from '../policy/instant.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { halves, Parts } from './parts.js'

/** One kind of occurrence produces at most one event in this period. */
const WINDOW_MS = 60_000
/** All kinds on one node together produce at most this many events in that period. */
const BUDGET = 120
const MAX_KEYS = 2000
const EVENTS_A_COMMIT = 120

/** The fields that occurrences of one kind share. */
export type Occasion = Omit<StoredEvent, 'id' | 'at' | 'prefix' | 'action' | 'ip' | 'count'>

type Tally = {
  /** The tenant, owner or creator to whose share it belongs. */
  readonly share: string
  occasion: Occasion
  count: number
  ip: string | undefined
  lastAt: number
  /** On the monotonic clock; until then, further occurrences are only counted. */
  quietUntil: number
}

/** Settings of a recorder. */
export type CoalescingOptions = {
  readonly store: GuardedStore
  readonly prefix: string
  readonly monotonic: () => number
  readonly announce: (events: readonly StoredEvent[]) => void
  readonly report: Report
  readonly action: StoredEvent['action']
  /** The fields of the event that counts all remaining occurrences together. */
  readonly others: Occasion
}

/**
 * Writes occurrences that a caller can repeat at will to the audit, coalesced: a flood produces a handful of events with large counts.
 *
 * Each recorder has its own budget, so that one flood neither delays nor drowns out other events. Within the budget, every tenant has its own turn and space:
 * one tenant's flood hides nothing from another tenant's administrators. No request waits for these writes.
 */
export class CoalescedEvents {
  readonly #options: CoalescingOptions
  readonly #tallies: Shares<Tally> = new Shares()
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

  /** Returns whether an event is ready to be written. */
  get pending(): boolean {
    const unsent = this.#unsent.length + this.#parts.left.length
    return unsent > 0 || this.#overflow > 0 || [...this.#tallies.inTurn()].some(([, tally]) => tally.count > 0)
  }

  /**
   * Counts one occurrence. The fields that it shares with other occurrences of its key are read once per event, because a record may have changed since the
   * last one.
   */
  note(key: string, describe: () => Occasion, now: number, ip: string | undefined): void {
    const at = this.#dates.of(now)
    if (at === undefined) {
      this.#overflow += 1
      return
    }
    let tally = this.#tallies.get(key)
    if (tally === undefined) {
      const occasion = describe()
      const share = shareOf(occasion)
      if (!this.#hasRoom(share)) {
        this.#overflow += 1
        return
      }
      tally = { share, occasion, count: 0, ip, lastAt: at, quietUntil: 0 }
      this.#tallies.put(key, share, tally)
    } else if (tally.count === 0) tally.occasion = describe()
    tally.count += 1
    tally.ip = ip
    tally.lastAt = at
  }

  /**
   * Writes the events that are due; with `all`, everything that was recorded before this call.
   *
   * @throws StoreUnavailableError `store_unavailable`; the same events are tried again by the next flush
   */
  async flush(now: number, all: boolean): Promise<void> {
    // Writes one batch at a time: two writers that send the same events would each mistake the other's events for their own.
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
    // A conflict means that an earlier attempt, whose response was lost, wrote them, or at least some of them.
    else if (events.length > 1) for (const event of events) await this.#write([event])
  }

  // For several events, only writing each one separately can show that.
  async #stands(events: readonly StoredEvent[]): Promise<boolean> {
    const [event] = events
    if (event === undefined || events.length > 1) return false
    const { store, prefix } = this.#options
    return (await store.events({ prefix, id: event.id, limit: 1 })).length > 0
  }

  // The occurrences are still counted, together with those that have no separate event.
  #drop(events: readonly StoredEvent[], cause: unknown): void {
    const { action, others, report } = this.#options
    for (const { details, count = 0 } of events) if (details !== others.details) this.#overflow += count
    report(
      'flush',
      new StoreUnavailableError(`the store rejected a ${action} event; its occurrences are counted in a combined event instead`, cause),
    )
  }

  #due(now: number, all: boolean): StoredEvent[] {
    const tick = this.#options.monotonic()
    if (tick >= this.#windowEndsAt) {
      this.#windowEndsAt = tick + WINDOW_MS
      this.#left = BUDGET
    }
    const events: StoredEvent[] = []
    for (const [key, tally] of this.#tallies.inTurn()) {
      if (!all && tick < tally.quietUntil) continue
      if (tally.count > 0 && !all && this.#left <= 0) continue
      if (tally.count === 0) {
        this.#tallies.remove(key)
        continue
      }
      events.push(this.#event(tally, tick))
      // Goes to the back of the queue, so that everybody gets a turn when the budget is short.
      this.#tallies.put(key, tally.share, tally)
    }
    const at = this.#dates.of(now)
    if (at !== undefined && this.#overflow > 0 && (this.#left > 0 || all)) events.push(this.#overflowEvent(at))
    return events
  }

  // If there is no space left, the share with the most occurrences loses some.
  #hasRoom(share: string): boolean {
    if (this.#tallies.size < MAX_KEYS) return true
    const [oldest = ''] = this.#tallies.crowding(share)
    const tally = this.#tallies.get(oldest)
    if (tally === undefined) return false
    this.#overflow += tally.count
    this.#tallies.remove(oldest)
    return true
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

/** A tenant has its own share; tokens without a tenant are grouped by owner, or by creator. */
export function shareOf(occasion: Occasion): string {
  const { tenantId, ownerId, createdBy, actorId } = ownFields(occasion)
  return tenantId === undefined ? `owner ${ownerId ?? createdBy ?? actorId}` : `tenant ${tenantId}`
}
