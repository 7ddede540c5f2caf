import type { Entry } from '../cache/entry.js'
import { StoreUnavailableError } from '../errors.js'
import type { LastUse, UsageBatch } from '../model/usage.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { Dates } from './dates.js'
import { type RowBudget, UsageSlot } from './usage-slot.js'

const MAX_SLOTS = 100_000
const MAX_ROWS_BUFFERED = 250_000

/**
 * Counts uses in memory and writes them in batches, off the request's path.
 *
 * A batch that failed is sent again as it was, under its own number, so that a store which had written it after all counts it once.
 */
export class UsageRecorder {
  readonly #store: GuardedStore
  readonly #nodeId: () => string
  readonly #clock: () => number
  readonly #report: Report
  readonly #dates: Dates = new Dates()
  #slots: Map<string, UsageSlot> = new Map()
  #budget: RowBudget = { left: MAX_ROWS_BUFFERED }
  /** No longer counted into, not yet in a batch. */
  #sealed: Map<string, UsageSlot> = new Map()
  #unsent: UsageBatch | undefined
  #sending: Promise<void> | undefined
  #seq = 0
  #toldDropped = false
  /** Uses that could not be counted because the store was away and every buffer full. */
  dropped = 0
  /** Batches that were written, and the counters in them. */
  batches = 0
  rows = 0

  constructor(store: GuardedStore, nodeId: () => string, clock: () => number, report: Report) {
    this.#store = store
    this.#nodeId = nodeId
    this.#clock = clock
    this.#report = report
  }

  /** Is there anything to write? */
  get pending(): boolean {
    return this.#slots.size > 0 || this.#sealed.size > 0 || this.#unsent !== undefined
  }

  /** How many tokens have uses that are not written yet. */
  get waiting(): number {
    return this.#slots.size + this.#sealed.size + (this.#unsent?.lastUses.length ?? 0)
  }

  /** Notes that the token was accepted at `now`. */
  touch(entry: Entry, now: number, ip: string | undefined): void {
    const at = this.#dates.of(now)
    if (at !== undefined) this.#slot(entry)?.touch(at, ip)
  }

  /** Counts one use. Texts are empty where unknown; `scope` names what the route required. */
  count(entry: Entry, now: number, endpoint: string, outcome: string, scope: string, ip: string | undefined): void {
    const at = this.#dates.of(now)
    const slot = at === undefined ? undefined : this.#slot(entry)
    if (slot === undefined || at === undefined) this.#drop()
    else slot.count(at, endpoint, outcome, scope, ip)
  }

  /** The last use of a token that is not written yet. */
  lastUse(tokenId: string): LastUse | undefined {
    const use = this.#slots.get(tokenId)?.lastUse() ?? this.#sealed.get(tokenId)?.lastUse()
    return use ?? this.#unsent?.lastUses.find((last) => last.tokenId === tokenId)
  }

  /**
   * Writes everything that was counted before this call.
   *
   * @throws StoreUnavailableError `store_unavailable`; nothing is lost, the next flush sends it again
   */
  async flush(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending.catch(() => undefined)
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    await this.#sending
  }

  async #sendAll(): Promise<void> {
    await this.#sendSealed()
    this.#seal()
    await this.#sendSealed()
  }

  // Batches are made one at a time: making them all at once would hold up requests, as sending them without a pause would.
  async #sendSealed(): Promise<void> {
    for (;;) {
      this.#unsent ??= this.#nextBatch()
      if (this.#unsent === undefined) return
      await this.#store.recordUsage(this.#unsent)
      this.batches += 1
      this.rows += this.#unsent.counts.length
      this.#unsent = undefined
      if (this.#sealed.size > 0) await new Promise((resolve) => setTimeout(resolve))
    }
  }

  // Uses that come later go into new slots.
  #seal(): void {
    this.#sealed = this.#slots
    for (const slot of this.#sealed.values()) slot.sealed = true
    this.#slots = new Map()
    this.#budget = { left: MAX_ROWS_BUFFERED }
    this.#toldDropped = false
  }

  // A batch keeps its number, however often it is sent.
  #nextBatch(): UsageBatch | undefined {
    const slots: UsageSlot[] = []
    let rows = 0
    for (const [tokenId, slot] of this.#sealed) {
      this.#sealed.delete(tokenId)
      slots.push(slot)
      rows += slot.rows
      if (rows >= this.#store.usageRows) break
    }
    return slots.length === 0 ? undefined : this.#batch(slots)
  }

  #batch(slots: readonly UsageSlot[]): UsageBatch {
    this.#seq += 1
    return {
      nodeId: this.#nodeId(),
      seq: this.#seq,
      at: this.#dates.of(this.#clock()) ?? 0,
      counts: slots.flatMap((slot) => slot.counts()),
      addresses: slots.flatMap((slot) => slot.addresses()),
      lastUses: slots.flatMap((slot) => slot.lastUse() ?? []),
    }
  }

  // Told once in a flush's time: as many as are lost in a flood must not be told one by one.
  #drop(): void {
    this.dropped += 1
    if (this.#toldDropped) return
    this.#toldDropped = true
    this.#report(
      'flush',
      new StoreUnavailableError(
        'uses are not counted: the counts of too many tokens are waiting for the store, or the option clock tells no time',
      ),
    )
  }

  #slot(entry: Entry): UsageSlot | undefined {
    const current = entry.slot
    if (current instanceof UsageSlot && !current.sealed) return current
    let slot = this.#slots.get(entry.id)
    if (slot === undefined) {
      if (this.#slots.size >= MAX_SLOTS) return undefined
      slot = new UsageSlot(entry.id, this.#budget)
      this.#slots.set(entry.id, slot)
    }
    entry.slot = slot
    return slot
  }
}
