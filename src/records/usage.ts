import type { LastUse, UsageBatch } from '../store.js'
import type { Entry } from './entry.js'
import type { GuardedStore } from './guarded-store.js'
import { type RowBudget, UsageSlot } from './usage-slot.js'

const MAX_SLOTS = 100_000
const MAX_ROWS_A_BATCH = 500
const MAX_ROWS_BUFFERED = 250_000

/**
 * Counts uses in memory and writes them in batches, off the request's path.
 *
 * A batch that failed is sent again as it was, under its own number, so that a store which had written it after all counts it once.
 */
export class UsageRecorder {
  readonly #store: GuardedStore
  readonly #nodeId: string
  readonly #clock: () => number
  #slots: Map<string, UsageSlot> = new Map()
  #budget: RowBudget = { left: MAX_ROWS_BUFFERED }
  #unsent: UsageBatch[] = []
  #sending: Promise<void> | undefined
  #seq = 0
  /** Uses that could not be counted because the store was away and every buffer full. */
  dropped = 0

  constructor(store: GuardedStore, nodeId: string, clock: () => number) {
    this.#store = store
    this.#nodeId = nodeId
    this.#clock = clock
  }

  /** Is there anything to write? */
  get pending(): boolean {
    return this.#slots.size > 0 || this.#unsent.length > 0
  }

  /** Notes that the token was accepted at `now`. */
  touch(entry: Entry, now: number, ip: string | undefined): void {
    this.#slot(entry)?.touch(now, ip)
  }

  /** Counts one use. */
  count(entry: Entry, now: number, endpoint: string, outcome: string, ip: string | undefined): void {
    const slot = this.#slot(entry)
    if (slot === undefined) this.dropped += 1
    else slot.count(now, endpoint, outcome, ip)
  }

  /** The last use of a token that is not written yet. */
  lastUse(tokenId: string): LastUse | undefined {
    const slot = this.#slots.get(tokenId)?.lastUse()
    if (slot !== undefined) return slot
    for (const batch of this.#unsent.toReversed()) {
      const use = batch.lastUses.find((last) => last.tokenId === tokenId)
      if (use !== undefined) return use
    }
    return undefined
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

  async #sendSealed(): Promise<void> {
    for (let batch = this.#unsent[0]; batch !== undefined; batch = this.#unsent[0]) {
      await this.#store.recordUsage(batch)
      this.#unsent.shift()
    }
  }

  // What is sealed keeps its number; uses that come later go into new slots.
  #seal(): void {
    const slots = [...this.#slots.values()]
    this.#slots = new Map()
    this.#budget = { left: MAX_ROWS_BUFFERED }
    let batch: UsageSlot[] = []
    let rows = 0
    for (const slot of slots) {
      slot.sealed = true
      batch.push(slot)
      rows += slot.rows
      if (rows < MAX_ROWS_A_BATCH) continue
      this.#unsent.push(this.#batch(batch))
      batch = []
      rows = 0
    }
    if (batch.length > 0) this.#unsent.push(this.#batch(batch))
  }

  #batch(slots: readonly UsageSlot[]): UsageBatch {
    this.#seq += 1
    return {
      nodeId: this.#nodeId,
      seq: this.#seq,
      at: this.#clock(),
      counts: slots.flatMap((slot) => slot.counts()),
      addresses: slots.flatMap((slot) => slot.addresses()),
      lastUses: slots.flatMap((slot) => slot.lastUse() ?? []),
    }
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
