/** The two parties of an entry: who caused it, and whom it concerns. */
export type Parties = { readonly from: string; readonly about: string }

type Entry<V> = { readonly key: string; readonly value: V; readonly parties: Parties }

/** The fraction of a full queue that is dropped in one step, so that the positions do not have to be recomputed for each new entry. */
const DROPPED_PART = 1 / 8

/**
 * A bounded queue in which no party can crowd out another.
 *
 * Each entry has a position in two orders. In the first, the entries that a party caused alternate between the parties that they concern. In the second, the
 * entries that concern a party alternate between the parties that caused them. The later of the two positions counts, so neither one caller with many victims
 * nor many callers with one victim can delay other parties. When the queue is full, the entries with the latest positions are dropped.
 */
export class FairQueue<V> {
  readonly #entries: Map<string, Entry<V>> = new Map()
  /** How many entries each party caused. */
  readonly #caused: Map<string, number> = new Map()
  readonly #capacity: number
  /** Called for each dropped entry. */
  readonly #onDrop: (value: V) => void
  /** Returns whether this entry was served recently. It then keeps its position ahead of the others. */
  readonly #wasServed: (value: V) => boolean

  constructor(capacity: number, onDrop: (value: V) => void = () => undefined, wasServed: (value: V) => boolean = () => false) {
    this.#capacity = capacity
    this.#onDrop = onDrop
    this.#wasServed = wasServed
  }

  get size(): number {
    return this.#entries.size
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  values(): V[] {
    return Array.from(this.#entries.values(), ({ value }) => value)
  }

  /** Adds an entry, or moves it behind the other entries of its parties. */
  put(key: string, parties: Parties, value: V): void {
    if (!this.remove(key) && this.#entries.size >= this.#capacity) this.#makeRoom()
    this.#entries.set(key, { key, value, parties })
    this.#caused.set(parties.from, this.#causedBy(parties.from) + 1)
  }

  /**
   * Records that another party also caused this entry. The entry moves to the party that caused fewer entries, so that a flooding party cannot delay an entry
   * by causing it first.
   */
  causedAlsoBy(key: string, from: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.parties.from === from || this.#causedBy(from) >= this.#causedBy(entry.parties.from) - 1) return
    this.put(key, { ...entry.parties, from }, entry.value)
  }

  /** Removes an entry; returns whether there was one. */
  remove(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    const { from } = entry.parties
    const others = this.#causedBy(from) - 1
    if (others > 0) this.#caused.set(from, others)
    else this.#caused.delete(from)
    return this.#entries.delete(key)
  }

  /** Returns the entries in queue order. */
  inTurn(): readonly (readonly [key: string, value: V, parties: Parties])[] {
    return this.#ordered().map(({ key, value, parties }) => [key, value, parties])
  }

  #makeRoom(): void {
    const kept = Math.floor(this.#capacity * (1 - DROPPED_PART))
    for (const { key, value } of this.#ordered().slice(kept)) {
      this.remove(key)
      this.#onDrop(value)
    }
  }

  #causedBy(from: string): number {
    return this.#caused.get(from) ?? 0
  }

  #ordered(): Entry<V>[] {
    const all = [...this.#entries.values()]
    const served = new Set(all.filter(({ value }) => this.#wasServed(value)))
    const entries = [...served, ...all.filter((entry) => !served.has(entry))]
    const turns = turnsOf(entries, 'from', 'about')
    const others = turnsOf(entries, 'about', 'from')
    const turnOf = (entry: Entry<V>): number => Math.max(turns.get(entry) ?? 0, others.get(entry) ?? 0)
    return entries.sort((a, b) => turnOf(a) - turnOf(b))
  }
}

/** Returns the position of each entry among those of one party, alternating between the parties on the other side. */
function turnsOf<E extends { readonly parties: Parties }>(
  entries: readonly E[],
  side: keyof Parties,
  other: keyof Parties,
): Map<E, number> {
  const next = (counts: Map<string, number>, key: string): number => {
    const count = counts.get(key) ?? 0
    counts.set(key, count + 1)
    return count
  }
  const pairs = new Map<string, number>()
  const rounds = entries.map((entry) => ({ entry, round: next(pairs, JSON.stringify([entry.parties[side], entry.parties[other]])) }))
  const places = new Map<string, number>()
  return new Map(rounds.sort((a, b) => a.round - b.round).map(({ entry }) => [entry, next(places, entry.parties[side])]))
}
