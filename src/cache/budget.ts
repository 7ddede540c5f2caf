const MAX_KEYS = 10_000
/** The number of levels into which the refill time of an empty bucket is divided. */
const LEVELS = 20

type Bucket = { readonly tokens: number; readonly at: number; readonly level: number }

/** The size of a burst, the refill rate, and how far concurrent calls may overdraw the budget; by default as far as a burst. */
export type Rate = { readonly burst: number; readonly perSecond: number; readonly debt?: number }

/** A token bucket for each key. The number of keys is bounded. The bucket that will be full first is forgotten first, because losing it matters least. */
export class Budget {
  readonly #rate: Rate
  readonly #monotonic: () => number
  readonly #buckets: Map<string, Bucket> = new Map()
  /** The keys of buckets by when they will be full, in units of `#step`. */
  readonly #levels: Map<number, Set<string>> = new Map()
  readonly #step: number

  constructor(rate: Rate, monotonic: () => number = () => performance.now()) {
    this.#rate = rate
    this.#monotonic = monotonic
    this.#step = (rate.burst / rate.perSecond) * (1000 / LEVELS)
  }

  /** Returns whether the budget of this key is used up. */
  spent(key: string): boolean {
    const bucket = this.#buckets.get(key)
    return bucket !== undefined && this.#refilled(bucket) < 1
  }

  /** Returns whether this key has been charged and is not forgotten. */
  isCharged(key: string): boolean {
    return this.#buckets.has(key)
  }

  /** Charges one unit. */
  spend(key: string): void {
    const { burst, debt = burst } = this.#rate
    const bucket = this.#buckets.get(key)
    const tokens = bucket === undefined ? burst : this.#refilled(bucket)
    if (bucket === undefined && this.#buckets.size >= MAX_KEYS) this.#makeRoom()
    // Concurrent calls may overdraw the budget. The debt is kept; otherwise, each refilled unit would admit as many calls again. It is bounded, so it is soon
    // repaid.
    this.#set(key, Math.max(-debt, tokens - 1))
  }

  /** Refunds one charge. */
  refund(key: string): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return
    const tokens = this.#refilled(bucket) + 1
    if (tokens < this.#rate.burst) this.#set(key, tokens)
    else this.forget(key)
  }

  /** Forgets every charge of this key. */
  forget(key: string): void {
    const level = this.#buckets.get(key)?.level
    if (level === undefined) return
    this.#buckets.delete(key)
    const keys = this.#levels.get(level)
    keys?.delete(key)
    if (keys?.size === 0) this.#levels.delete(level)
  }

  #set(key: string, tokens: number): void {
    this.forget(key)
    const at = this.#monotonic()
    const level = this.#levelAt(at + ((this.#rate.burst - tokens) / this.#rate.perSecond) * 1000)
    this.#buckets.set(key, { tokens, at, level })
    this.#levels.set(level, (this.#levels.get(level) ?? new Set()).add(key))
  }

  #makeRoom(): void {
    const now = this.#levelAt(this.#monotonic())
    let lowest = Number.POSITIVE_INFINITY
    for (const [level, keys] of this.#levels) {
      if (level >= now) lowest = Math.min(lowest, level)
      // A full bucket is equivalent to none.
      else for (const key of keys) this.forget(key)
    }
    if (this.#buckets.size < MAX_KEYS) return
    for (const key of this.#levels.get(lowest) ?? []) {
      this.forget(key)
      return
    }
  }

  #levelAt(instant: number): number {
    return Math.floor(instant / this.#step)
  }

  #refilled(bucket: Bucket): number {
    return Math.min(this.#rate.burst, bucket.tokens + ((this.#monotonic() - bucket.at) / 1000) * this.#rate.perSecond)
  }
}
