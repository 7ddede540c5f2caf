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

  /** Visits every entry. */
  deleteWhere(matches: (entry: V) => boolean): void {
    for (const [key, entry] of this.#entries) if (matches(entry)) this.#entries.delete(key)
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

/** Values by key, grouped into shares, so that one busy party cannot take the space or the turns of another. */
export class Shares<V> {
  readonly #entries: Map<string, { readonly share: string; readonly value: V }> = new Map()
  /** The keys of each share, in the order of their turns. */
  readonly #keys: Map<string, Set<string>> = new Map()

  get size(): number {
    return this.#entries.size
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** Adds a value at the end of its share, and moves the share to the end. */
  put(key: string, share: string, value: V): void {
    this.remove(key)
    const keys = this.#keys.get(share) ?? new Set()
    this.#keys.delete(share)
    this.#keys.set(share, keys.add(key))
    this.#entries.set(key, { share, value })
  }

  remove(key: string): void {
    const share = this.#entries.get(key)?.share
    if (share === undefined) return
    const keys = this.#keys.get(share)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(share)
    this.#entries.delete(key)
  }

  /** Returns the keys of the largest share, in order. */
  largest(): readonly string[] {
    return this.#largerThan(0)
  }

  /** Returns the keys of the largest share, in order, if it would still be larger after `share` grew by one; otherwise none. */
  crowding(share: string): readonly string[] {
    return this.#largerThan((this.#keys.get(share)?.size ?? 0) + 1)
  }

  #largerThan(size: number): readonly string[] {
    let largest: ReadonlySet<string> | undefined
    for (const keys of this.#keys.values()) if (keys.size > (largest?.size ?? size)) largest = keys
    return largest === undefined ? [] : [...largest]
  }

  /** Yields one entry of each share, then the next of each. Tolerates insertions and removals during iteration. */
  *inTurn(): Generator<readonly [key: string, value: V]> {
    let queues = Array.from(this.#keys.values(), (keys) => [...keys])
    for (let turn = 0; queues.length > 0; turn += 1) {
      for (const queue of queues) {
        const key = queue[turn] ?? ''
        const entry = this.#entries.get(key)
        if (entry !== undefined) yield [key, entry.value]
      }
      queues = queues.filter(({ length }) => length > turn + 1)
    }
  }
}
