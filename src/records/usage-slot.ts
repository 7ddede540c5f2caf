import type { LastUse, UsageAddress, UsageCount } from '../store.js'

const HOUR_MS = 3_600_000
const MAX_COUNTERS = 256
const MAX_ADDRESSES = 64
const MAX_TEXT = 200
/** What endpoints and addresses beyond the bounds are counted under. */
const OTHER = '(other)'

type Counter = { readonly bucketAt: number; readonly endpoint: string; readonly outcome: string; count: number }
type Address = { readonly ip: string; count: number; lastAt: number }

/** What one token did since the last flush. The same endpoint, outcome and address as last time costs three comparisons. */
export class UsageSlot {
  /** Handed to the store: no longer counted into. */
  sealed = false
  readonly #tokenId: string
  readonly #counters: Map<string, Counter> = new Map()
  readonly #addresses: Map<string, Address> = new Map()
  #counter: Counter | undefined
  #address: Address | undefined
  #lastAt: number | undefined
  #lastIp: string | undefined

  constructor(tokenId: string) {
    this.#tokenId = tokenId
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
    let address = this.#address
    if (address === undefined || address.ip !== ip) address = this.#addressFor(ip)
    address.count += 1
    address.lastAt = now
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
    return { tokenId: this.#tokenId, at: this.#lastAt, ...(this.#lastIp !== undefined && { ip: this.#lastIp }) }
  }

  #counterFor(now: number, endpoint: string, outcome: string): Counter {
    const bucketAt = now - (now % HOUR_MS)
    const full = this.#counters.size >= MAX_COUNTERS
    const shown = endpoint.slice(0, MAX_TEXT)
    const key = `${bucketAt} ${outcome} ${shown}`
    const known = this.#counters.get(key)
    const counter = known ?? (full ? this.#overflow(bucketAt, outcome) : this.#add(key, bucketAt, shown, outcome))
    this.#counter = counter
    return counter
  }

  #overflow(bucketAt: number, outcome: string): Counter {
    const key = `${bucketAt} ${outcome} ${OTHER}`
    return this.#counters.get(key) ?? this.#add(key, bucketAt, OTHER, outcome)
  }

  #add(key: string, bucketAt: number, endpoint: string, outcome: string): Counter {
    const counter = { bucketAt, endpoint, outcome, count: 0 }
    this.#counters.set(key, counter)
    return counter
  }

  #addressFor(ip: string): Address {
    const shown = this.#addresses.size >= MAX_ADDRESSES && !this.#addresses.has(ip) ? OTHER : ip.slice(0, MAX_TEXT)
    let address = this.#addresses.get(shown)
    if (address === undefined) {
      address = { ip: shown, count: 0, lastAt: 0 }
      this.#addresses.set(shown, address)
    }
    this.#address = address
    return address
  }
}

function within(now: number, bucketAt: number): boolean {
  return now >= bucketAt && now < bucketAt + HOUR_MS
}
