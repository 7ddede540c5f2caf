import type { Filtered } from '../store/compile-filter.js'
import type { Background } from '../store/timer.js'
import { BoundedMap, type Visited } from './bounded-map.js'

/** The pause before each scan of the cache. A scan takes milliseconds, so bulk changes share it. */
const PAUSE_MS = 100
/** How many entries are tested before other work runs. */
const ENTRIES_A_TURN = 2_000

type Cached = Filtered & Visited

/**
 * The cached entries, without those that match a bulk change. An entry is tested when it is next used, and a scan in the background removes the others: anyone who
 * may revoke several tokens at once can cause bulk changes at any rate, and a scan for each of them would take up the event loop.
 */
export class Entries<E extends Cached> {
  readonly #entries: BoundedMap<E>
  readonly #background: Background
  /** Bulk changes for which the entries have not all been tested. There are few, because each scan ends those that began before it. */
  #pending: ((token: Filtered) => boolean)[] = []
  /** IDs of entries that match, but were read after the last bulk change was known. */
  readonly #current: Set<string> = new Set()
  #scheduled = false

  constructor(capacity: number, background: Background) {
    this.#entries = new BoundedMap(capacity)
    this.#background = background
  }

  get(id: string): E | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined || !this.#isDropped(entry)) return entry
    this.#entries.delete(id)
    return undefined
  }

  /** Adds an entry that was read after the last bulk change that is known. */
  add(entry: E): void {
    this.#entries.set(entry.id, entry)
    if (this.#matches(entry)) this.#current.add(entry.id)
  }

  delete(id: string): void {
    this.#entries.delete(id)
  }

  /** Drops the entries that match a bulk change. */
  dropWhere(matches: (token: Filtered) => boolean): void {
    this.#pending.push(matches)
    this.#current.clear()
    this.#schedule()
  }

  clear(): void {
    this.#entries.clear()
    this.#pending = []
    this.#current.clear()
  }

  /** Returns whether an entry may show the state before a bulk change. */
  #isDropped(entry: E): boolean {
    return this.#pending.length > 0 && this.#matches(entry) && !this.#current.has(entry.id)
  }

  #matches(entry: E): boolean {
    for (const matches of this.#pending) if (matches(entry)) return true
    return false
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#background.timer(() => void this.#scan(), PAUSE_MS)
  }

  async #scan(): Promise<void> {
    const pending = this.#pending
    const tested = pending.length
    let inTurn = 0
    // Entries that are added or moved meanwhile come last, so none that was there at the beginning is left out.
    for (const entry of this.#entries.values()) {
      if (this.#isDropped(entry)) this.#entries.delete(entry.id)
      inTurn += 1
      if (inTurn % ENTRIES_A_TURN === 0) await this.#background.pause(0)
    }
    pending.splice(0, tested)
    this.#scheduled = false
    if (this.#pending.length > 0) this.#schedule()
    else this.#current.clear()
  }
}
