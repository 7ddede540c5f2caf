const MAX_KEYS = 10_000

type Bucket = { tokens: number; at: number }

/** The size of a burst, and the refill rate. */
export type Rate = { readonly burst: number; readonly perSecond: number }

/** A token bucket for each key. The number of keys is bounded: the least recently charged one is forgotten first. */
export class Budget {
  readonly #rate: Rate
  readonly #monotonic: () => number
  readonly #buckets: Map<string, Bucket> = new Map()

  constructor(rate: Rate, monotonic: () => number = () => performance.now()) {
    this.#rate = rate
    this.#monotonic = monotonic
  }

  /** Returns whether the budget of this key is used up. */
  spent(key: string): boolean {
    const bucket = this.#buckets.get(key)
    return bucket !== undefined && this.#refilled(bucket) < 1
  }

  /** Charges one unit. */
  spend(key: string): void {
    const bucket = this.#buckets.get(key)
    const tokens = bucket === undefined ? this.#rate.burst : this.#refilled(bucket)
    this.#buckets.delete(key)
    if (this.#buckets.size >= MAX_KEYS) {
      const oldest = this.#buckets.keys().next()
      if (!oldest.done) this.#buckets.delete(oldest.value)
    }
    // Concurrent calls may overdraw the budget. The debt is kept, or each refilled unit would admit as many calls again. It is bounded, so it ends soon.
    this.#buckets.set(key, { tokens: Math.max(-this.#rate.burst, tokens - 1), at: this.#monotonic() })
  }

  #refilled(bucket: Bucket): number {
    return Math.min(this.#rate.burst, bucket.tokens + ((this.#monotonic() - bucket.at) / 1000) * this.#rate.perSecond)
  }
}
