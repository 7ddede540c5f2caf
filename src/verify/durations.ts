/** The weight of the last duration in an average. */
const WEIGHT = 1 / 4
/** Work with less time left would only be abandoned: when work that hangs reaches its deadline, so does all that began to wait in the same instant. */
const LEAST_MS = 5
/** The maximum number of parties whose durations are remembered. */
const MAX_PARTIES = 1000

/** How long the work of each party has taken lately, so that the slow work of one says little about that of others. */
export class Durations {
  readonly #longestMs: number
  readonly #averages: Map<string, number> = new Map()

  /** No work is counted as longer than `longestMs`. */
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

  /** Returns how long the work of a party will most likely take. Nothing is known of a party that has never run: it must not be refused because others are slow. */
  expected(party: string): number {
    return Math.max(LEAST_MS, this.#averages.get(party) ?? 0)
  }
}
