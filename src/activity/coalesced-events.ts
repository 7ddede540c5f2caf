import { StoreUnavailableError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import { Dates } from '../policy/instant.js'
import { callerOf } from '../policy/network.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import { FairQueue } from './fair-queue.js'
import { halves, Parts } from './parts.js'
import { Passes } from './passes.js'

/** One kind of occurrence produces at most one event in this period. */
const WINDOW_MS = 60_000
/** The maximum number of events that all kinds together produce in a burst on one node. The same number may follow over each period. */
const BURST = 60
const MAX_KEYS = 2000
const EVENTS_A_COMMIT = 120

/** The fields that occurrences of one kind share. */
export type Occasion = Omit<StoredEvent, 'id' | 'at' | 'prefix' | 'action' | 'ip' | 'count'>

/** An occasion, and the client's address at its latest occurrence. */
export type Seen = Occasion & Pick<StoredEvent, 'ip'>

type Tally = {
  occasion: Occasion
  count: number
  /** Whether the occasion no longer is the one that was described. */
  isRevised: boolean
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
 * Writes occurrences that a caller can repeat at will to the audit log, coalesced: a flood produces a handful of events with large counts.
 *
 * Each recorder has its own budget, so that one flood neither delays nor drowns out other events. Within the budget, callers and tenants are served in
 * turn, and each has its own space. A flood caused by one caller or in one tenant therefore neither hides an event from another tenant's administrators nor
 * delays it by more than a few seconds. No request waits for these writes.
 */
export class CoalescedEvents {
  readonly #options: CoalescingOptions
  readonly #tallies: FairQueue<Tally>
  readonly #dates: Dates = new Dates()
  #overflow = 0
  #overflowQuietUntil = 0
  #left = BURST
  #refilledAt = 0
  #unsent: readonly StoredEvent[] = []
  readonly #parts: Parts<readonly StoredEvent[]>
  // One batch at a time, because two writers that send the same events would each mistake the other's events for their own.
  readonly #passes: Passes<{ readonly now: number; readonly all: boolean }> = new Passes(
    ({ now, all }) => this.#sendAll(now, all),
    (earlier, later) => ({ now: later.now, all: earlier.all || later.all }),
  )

  constructor(options: CoalescingOptions) {
    this.#options = options
    this.#tallies = new FairQueue(
      MAX_KEYS,
      ({ count }) => {
        this.#overflow += count
      },
      // Its event was written less than a period ago.
      ({ quietUntil }) => options.monotonic() < quietUntil,
    )
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
    return unsent > 0 || this.#overflow > 0 || this.#tallies.values().some(({ count }) => count > 0)
  }

  /**
   * Counts one occurrence. The fields that it shares with other occurrences of its key are read once per event, because a record may have changed since the
   * last event. `from` identifies who caused it; by default, the address does.
   */
  note(key: string, describe: () => Occasion, now: number, ip: string | undefined, from?: string): void {
    const at = this.#dates.of(now)
    if (at === undefined) {
      this.#overflow += 1
      return
    }
    const causer = (): string => from ?? callerOf(ip) ?? ''
    let tally = this.#tallies.get(key)
    if (tally === undefined) {
      const occasion = describe()
      tally = { occasion, count: 0, isRevised: false, ip, lastAt: at, quietUntil: 0 }
      this.#tallies.put(key, { from: causer(), about: concernedBy(occasion) }, tally)
    } else {
      // The address of a further occurrence must not be in an event that no longer names whose address it is.
      if (tally.count === 0 || tally.isRevised) tally.occasion = describe()
      tally.isRevised = false
      if (from !== undefined || ip !== tally.ip) this.#tallies.causedAlsoBy(key, causer())
    }
    tally.count += 1
    tally.ip = ip
    tally.lastAt = at
  }

  /**
   * Changes the fields of the events that have not been written yet, unless `change` returns the same object. The number of occurrences stays the same. A
   * further occurrence gets a new description.
   */
  revise(change: (seen: Seen) => Seen): void {
    for (const tally of this.#tallies.values()) {
      const seen: Seen = { ...tally.occasion, ...(tally.ip !== undefined && { ip: tally.ip }) }
      const revised = change(seen)
      if (revised === seen) continue
      const { ip, ...occasion } = ownFields(revised)
      Object.assign(tally, { occasion, ip, isRevised: true })
    }
  }

  /**
   * Writes the events that are due; with `all`, everything that was recorded before this call.
   *
   * @throws StoreUnavailableError `store_unavailable`; the next flush retries the same events
   */
  async flush(now: number, all: boolean): Promise<void> {
    await this.#passes.run({ now, all })
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

  // For several events, only writing each one separately can show which ones the store accepts.
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
    this.#left = Math.min(BURST, this.#left + ((tick - this.#refilledAt) / WINDOW_MS) * BURST)
    this.#refilledAt = tick
    const events: StoredEvent[] = []
    const at = this.#dates.of(now)
    // The combined event counts occurrences that have no separate event, so it does not wait until all others are written.
    if (at !== undefined && this.#overflow > 0 && (all || (this.#left >= 1 && tick >= this.#overflowQuietUntil))) {
      this.#overflowQuietUntil = tick + WINDOW_MS
      events.push(this.#overflowEvent(at))
    }
    for (const [key, tally, parties] of this.#tallies.inTurn()) {
      if (!all && tick < tally.quietUntil) continue
      if (tally.count > 0 && !all && this.#left < 1) continue
      if (tally.count === 0) {
        this.#tallies.remove(key)
        continue
      }
      events.push(this.#event(tally, tick))
      this.#tallies.put(key, parties, tally)
    }
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
    this.#left = Math.max(0, this.#left - 1)
    const { action, prefix } = this.#options
    return { id: generateId(platformRandom), at, action, prefix, actorId, ...occasion, ...(ip !== undefined && { ip }), count }
  }
}

/** Returns the tenant that an occurrence concerns; without a tenant, the owner or the creator. */
export function concernedBy(occasion: Occasion): string {
  const { tenantId, ownerId, createdBy, actorId } = ownFields(occasion)
  return tenantId === undefined ? `owner ${ownerId ?? createdBy ?? actorId}` : `tenant ${tenantId}`
}
