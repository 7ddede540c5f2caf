const MAX_ADDRESSES = 10_000

type Bucket = { tokens: number; at: number }
type Rate = { readonly burst: number; readonly perSecond: number }

const PER_ADDRESS: Rate = { burst: 500, perSecond: 100 }
const WITHOUT_ADDRESS: Rate = { burst: 5000, perSecond: 1000 }

/**
 * How many tokens that do not exist an address may make the store look for.
 *
 * Only answers "there is no such token" are charged, so good tokens cost nothing; an address that has used up its budget
 * is refused without a store call until it refills. Bounded in addresses: the least recently charged one is forgotten first.
 */
export class GuessingBudget {
  readonly #monotonic: () => number
  readonly #buckets: Map<string, Bucket> = new Map()

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** Is the budget of this address used up now? */
  spent(ip: string | undefined): boolean {
    const bucket = this.#buckets.get(ip ?? '')
    return bucket !== undefined && this.#refilled(bucket, rateOf(ip)) < 1
  }

  /** Charges one unknown token. */
  spend(ip: string | undefined): void {
    const key = ip ?? ''
    const rate = rateOf(ip)
    const bucket = this.#buckets.get(key)
    const tokens = bucket === undefined ? rate.burst : this.#refilled(bucket, rate)
    this.#buckets.delete(key)
    if (this.#buckets.size >= MAX_ADDRESSES) {
      const oldest = this.#buckets.keys().next()
      if (!oldest.done) this.#buckets.delete(oldest.value)
    }
    this.#buckets.set(key, { tokens: Math.max(0, tokens - 1), at: this.#monotonic() })
  }

  #refilled(bucket: Bucket, rate: Rate): number {
    return Math.min(rate.burst, bucket.tokens + ((this.#monotonic() - bucket.at) / 1000) * rate.perSecond)
  }
}

function rateOf(ip: string | undefined): Rate {
  return ip === undefined ? WITHOUT_ADDRESS : PER_ADDRESS
}
