/** The lookups and guesses that all callers with an unknown address may make together, as a multiple of those of one address. */
export const UNKNOWN_FACTOR = 10

const PART = 1 / 4

/**
 * Counts the lookups of each caller that wait or are under way, so that no caller takes all places of a queue.
 *
 * A caller may have a quarter as many as there are free places. The fuller the queue, the fewer each may have, so that some room is always left for others.
 */
export class LookupShares {
  readonly #counts: Map<string, number> = new Map()

  /** Returns whether this caller may add no lookup while the queue has this many free places. `''`: the callers with an unknown address. */
  isUsedUp(caller: string, free: number): boolean {
    return (this.#counts.get(caller) ?? 0) >= free * PART * (caller === '' ? UNKNOWN_FACTOR : 1)
  }

  add(caller: string): void {
    this.#counts.set(caller, (this.#counts.get(caller) ?? 0) + 1)
  }

  remove(caller: string): void {
    const count = this.#counts.get(caller) ?? 0
    if (count > 1) this.#counts.set(caller, count - 1)
    else this.#counts.delete(caller)
  }
}
