/** An entry of a bounded map. It carries its second-chance bit. */
export type Visited = { visited: boolean }

/**
 * A map of at most `capacity` entries with second-chance (CLOCK) eviction.
 *
 * A hit costs one `Map.get` and one write to the entry: no reordering, no clock, no allocation.
 */
export class BoundedMap<V extends Visited> {
  readonly #entries: Map<string, V> = new Map()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.visited = true
    return entry
  }

  set(key: string, entry: V): void {
    if (!this.#entries.has(key) && this.#entries.size >= this.#capacity) this.#evict()
    this.#entries.set(key, entry)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Visits every entry, including entries that are added during the iteration. */
  values(): IterableIterator<V> {
    return this.#entries.values()
  }

  clear(): void {
    this.#entries.clear()
  }

  // The map's insertion order is the clock: a visited entry moves to the end once, an unvisited one is evicted.
  #evict(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key)
      if (!entry.visited) return
      entry.visited = false
      this.#entries.set(key, entry)
    }
  }
}
