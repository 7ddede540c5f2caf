/** The weight of the last duration in an average. */
const WEIGHT = 1 / 4
/**
 * Work with less time left than this would only be abandoned. When hanging work reaches its deadline, so does everything that began to wait at the same
 * instant.
 */
const LEAST_MS = 5
/** The maximum number of parties whose durations are remembered. */
const MAX_PARTIES = 1000

/** Tracks how long recent work of each party took, separately, because slow work of one party says little about the work of others. */
export class Durations {
  readonly #longestMs: number
  readonly #averages: Map<string, number> = new Map()

  /** Work that takes longer than `longestMs` is counted as `longestMs`. */
  constructor(longestMs: number) {
    this.#longestMs = longestMs
  }

  add(party: string, ms: number): void {
    const took = Math.min(ms, this.#longestMs)
    const before = this.#averages.get(party)
    // The party that was used least recently comes first.
    this.#averages.delete(party)
    this.#averages.set(party, before === undefined ? took : before + (took - before) * WEIGHT)
    const [oldest] = this.#averages.keys()
    if (this.#averages.size > MAX_PARTIES && oldest !== undefined) this.#averages.delete(oldest)
  }

  /** Returns how long the work of a party will most likely take. A party that has not completed any work yet must not be refused because others are slow. */
  expected(party: string): number {
    return Math.max(LEAST_MS, this.#averages.get(party) ?? 0)
  }
}
