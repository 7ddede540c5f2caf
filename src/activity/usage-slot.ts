import { type LastUse, MAX_USE_TEXT, OTHER_USES, type UsageAddress, type UsageCount } from '../model/usage.js'
import { normalizeIp } from '../policy/network.js'
import { redact } from '../token/redact.js'
import type { UsageShare } from './usage-shares.js'

const HOUR_MS = 3_600_000
const MAX_COUNTERS = 256
const MAX_ADDRESSES = 64

/** Stores differ in which text they reject; one rejected text would block every batch after it. */
const UNKEEPABLE = /[\p{Cc}\p{Surrogate}]/gu

/**
 * The outcome of a use by a caller that does not hold the token. Its endpoint and address say nothing about the holder, and must not displace those of the
 * holder.
 */
export const STRANGER = 'secret_mismatch'

type Counter = { readonly bucketAt: number; readonly endpoint: string; readonly scope: string; readonly outcome: string; count: number }
type Address = { readonly ip: string; count: number; lastAt: number }

/** Uses of one token since the last flush. Counting a use with the same endpoint, outcome, scope and address as the previous one takes four comparisons. */
export class UsageSlot {
  /** Whether it has been passed on to the store, after which it accepts no more counts. */
  sealed = false
  readonly #tokenId: string
  readonly #share: UsageShare
  readonly #counters: Map<string, Counter> = new Map()
  readonly #addresses: Map<string, Address> = new Map()
  /** How many of the counters are for uses by strangers: one per hour. */
  #strange = 0
  #counter: Counter | undefined
  #address: Address | undefined
  #addressOf: string | undefined
  #lastAt: number | undefined
  #lastIp: string | undefined

  constructor(tokenId: string, share: UsageShare) {
    this.#tokenId = tokenId
    this.#share = share
  }

  /** The most recent time at which the token was accepted since the last flush; `undefined` if it was not. */
  get touchedAt(): number | undefined {
    return this.#lastAt
  }

  touch(now: number, ip: string | undefined): void {
    this.#lastAt = now
    this.#lastIp = ip
  }

  count(now: number, endpoint: string, outcome: string, scope: string, ip: string | undefined): void {
    if (outcome === STRANGER) {
      this.#countStranger(now)
      return
    }
    let counter = this.#counter
    if (
      counter === undefined ||
      counter.endpoint !== endpoint ||
      counter.outcome !== outcome ||
      counter.scope !== scope ||
      !within(now, counter.bucketAt)
    ) {
      counter = this.#counterFor(now, endpoint, outcome, scope)
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

  /** How many rows this produces in the store. */
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

  // One counter per hour, regardless of the number of flushes, because strangers could otherwise fill the stored report of a token.
  #countStranger(now: number): void {
    const bucketAt = hourOf(now)
    if (this.#known(bucketAt, '', STRANGER, '') === undefined) this.#strange += 1
    this.#at(bucketAt, '', STRANGER, '').count += 1
  }

  #counterFor(now: number, endpoint: string, outcome: string, scope: string): Counter {
    const bucketAt = hourOf(now)
    const counter = this.#hasRoom()
      ? this.#at(bucketAt, keepable(endpoint), outcome, keepable(scope))
      : (this.#known(bucketAt, keepable(endpoint), outcome, keepable(scope)) ?? this.#overflow(bucketAt, outcome, keepable(scope)))
    this.#counter = counter
    return counter
  }

  #hasRoom(): boolean {
    return this.#counters.size - this.#strange < MAX_COUNTERS && this.#share.hasRow
  }

  // Scopes are few, because they come from the host's code; endpoints can be anything that callers send.
  #overflow(bucketAt: number, outcome: string, scope: string): Counter {
    return this.#at(bucketAt, OTHER_USES, outcome, this.#counters.size - this.#strange < 2 * MAX_COUNTERS ? scope : '')
  }

  #known(bucketAt: number, endpoint: string, outcome: string, scope: string): Counter | undefined {
    return this.#counters.get(keyOf(bucketAt, endpoint, outcome, scope))
  }

  #at(bucketAt: number, endpoint: string, outcome: string, scope: string): Counter {
    const known = this.#known(bucketAt, endpoint, outcome, scope)
    if (known !== undefined) return known
    const counter = { bucketAt, endpoint, scope, outcome, count: 0 }
    this.#counters.set(keyOf(bucketAt, endpoint, outcome, scope), counter)
    this.#share.takeRow()
    return counter
  }

  // Each address is kept in one form, regardless of how it was written. Text that is not an address is not kept.
  #addressFor(text: string): Address | undefined {
    const ip = normalizeIp(text)
    if (ip === undefined) return undefined
    const full = this.#addresses.size >= MAX_ADDRESSES || !this.#share.hasRow
    const shown = full && !this.#addresses.has(ip) ? OTHER_USES : ip
    const known = this.#addresses.get(shown)
    if (known !== undefined) return known
    const address = { ip: shown, count: 0, lastAt: 0 }
    this.#addresses.set(shown, address)
    this.#share.takeRow()
    return address
  }
}

// Redacted before the text is cut, because half of a token can no longer be recognized.
function keepable(text: unknown): string {
  return typeof text === 'string' ? redact(text).slice(0, MAX_USE_TEXT).replace(UNKEEPABLE, '\ufffd') : ''
}

// None of them contains a line break: see `keepable`.
function keyOf(bucketAt: number, endpoint: string, outcome: string, scope: string): string {
  return `${bucketAt}\n${outcome}\n${scope}\n${endpoint}`
}

function hourOf(now: number): number {
  return now - (now % HOUR_MS)
}

function within(now: number, bucketAt: number): boolean {
  return now >= bucketAt && now < bucketAt + HOUR_MS
}
