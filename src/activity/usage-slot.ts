import type { LastUse, UsageAddress, UsageCount } from '../model/usage.js'
import { normalizeIp } from '../policy/network.js'

const HOUR_MS = 3_600_000
const MAX_COUNTERS = 256
const MAX_ADDRESSES = 64
const MAX_TEXT = 200
/** What endpoints and addresses beyond the bounds are counted under. */
const OTHER = '(other)'

/** Stores differ in what they refuse inside a text; one refused text would hold up every batch behind it. */
const UNKEEPABLE = /[\p{Cc}\p{Surrogate}]/gu

/** How many endpoints and addresses all tokens together may add before the next flush; beyond, they are counted under `OTHER`. */
export type RowBudget = { left: number }

type Counter = { readonly bucketAt: number; readonly endpoint: string; readonly outcome: string; count: number }
type Address = { readonly ip: string; count: number; lastAt: number }

/** What one token did since the last flush. The same endpoint, outcome and address as last time costs three comparisons. */
export class UsageSlot {
  /** Handed to the store: no longer counted into. */
  sealed = false
  readonly #tokenId: string
  readonly #budget: RowBudget
  readonly #counters: Map<string, Counter> = new Map()
  readonly #addresses: Map<string, Address> = new Map()
  #counter: Counter | undefined
  #address: Address | undefined
  #addressOf: string | undefined
  #lastAt: number | undefined
  #lastIp: string | undefined

  constructor(tokenId: string, budget: RowBudget) {
    this.#tokenId = tokenId
    this.#budget = budget
  }

  touch(now: number, ip: string | undefined): void {
    this.#lastAt = now
    this.#lastIp = ip
  }

  count(now: number, endpoint: string, outcome: string, ip: string | undefined): void {
    let counter = this.#counter
    if (counter === undefined || counter.endpoint !== endpoint || counter.outcome !== outcome || !within(now, counter.bucketAt)) {
      counter = this.#counterFor(now, endpoint, outcome)
    }
    counter.count += 1
    if (ip === undefined) return
    if (ip !== this.#addressOf) {
      this.#address = this.#addressFor(ip)
      this.#addressOf = ip
    }
    if (this.#address === undefined) return
    this.#address.count += 1
    this.#address.lastAt = now
  }

  /** How many rows this makes in the store. */
  get rows(): number {
    return this.#counters.size + this.#addresses.size + 1
  }

  counts(): UsageCount[] {
    return Array.from(this.#counters.values(), (counter) => ({ tokenId: this.#tokenId, ...counter }))
  }

  addresses(): UsageAddress[] {
    return Array.from(this.#addresses.values(), (address) => ({ tokenId: this.#tokenId, ...address }))
  }

  lastUse(): LastUse | undefined {
    if (this.#lastAt === undefined) return undefined
    const ip = normalizeIp(this.#lastIp)
    return { tokenId: this.#tokenId, at: this.#lastAt, ...(ip !== undefined && { ip }) }
  }

  #counterFor(now: number, endpoint: string, outcome: string): Counter {
    const bucketAt = now - (now % HOUR_MS)
    const shown = keepable(endpoint)
    const key = `${bucketAt} ${outcome} ${shown}`
    const counter =
      this.#counters.get(key) ?? (this.#hasRoom() ? this.#add(key, bucketAt, shown, outcome) : this.#overflow(bucketAt, outcome))
    this.#counter = counter
    return counter
  }

  #hasRoom(): boolean {
    return this.#counters.size < MAX_COUNTERS && this.#budget.left > 0
  }

  #overflow(bucketAt: number, outcome: string): Counter {
    const key = `${bucketAt} ${outcome} ${OTHER}`
    return this.#counters.get(key) ?? this.#add(key, bucketAt, OTHER, outcome)
  }

  #add(key: string, bucketAt: number, endpoint: string, outcome: string): Counter {
    const counter = { bucketAt, endpoint, outcome, count: 0 }
    this.#counters.set(key, counter)
    this.#budget.left -= 1
    return counter
  }

  // One client has one address, however it is written. What is none is not kept.
  #addressFor(text: string): Address | undefined {
    const ip = normalizeIp(text)
    if (ip === undefined) return undefined
    const full = this.#addresses.size >= MAX_ADDRESSES || this.#budget.left <= 0
    const shown = full && !this.#addresses.has(ip) ? OTHER : ip
    const known = this.#addresses.get(shown)
    if (known !== undefined) return known
    const address = { ip: shown, count: 0, lastAt: 0 }
    this.#addresses.set(shown, address)
    this.#budget.left -= 1
    return address
  }
}

function keepable(text: unknown): string {
  return typeof text === 'string' ? text.slice(0, MAX_TEXT).replace(UNKEEPABLE, '\ufffd') : ''
}

function within(now: number, bucketAt: number): boolean {
  return now >= bucketAt && now < bucketAt + HOUR_MS
}
