import type { Entry } from '../cache/entry.js'
import { StoreUnavailableError } from '../errors.js'
import type { LastUse } from '../model/usage.js'
import { Dates } from '../policy/instant.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { Passes } from './passes.js'
import { UsageSender, type UsageSheet, usesOf } from './usage-sender.js'
import { type Party, UsageShares } from './usage-shares.js'
import { STRANGER, UsageSlot } from './usage-slot.js'

const MAX_SLOTS = 100_000
const MAX_ROWS_BUFFERED = 250_000
/** The maximum number of tokens, used only by strangers, whose uses wait for the store. They are buffered separately, so they displace no uses by holders. */
const MAX_STRANGE_SLOTS = 10_000
/** Half of what one tenant may hold: with that many tokens, uses are written immediately, so that a busy tenant reaches its limit only if the store fails. */
const CROWDED = 10_000

/** The fields of a token by which its uses are counted. */
type Counted = Party & { readonly id: string }

/** Counts uses in memory and writes them in batches, off the request path. */
export class UsageRecorder {
  readonly #store: GuardedStore
  readonly #clock: () => number
  readonly #sender: UsageSender
  readonly #report: Report
  readonly #dates: Dates = new Dates()
  #slots: Map<string, UsageSlot> = new Map()
  #shares: UsageShares = new UsageShares(MAX_SLOTS, MAX_ROWS_BUFFERED)
  #strangers: UsageShares = new UsageShares(MAX_STRANGE_SLOTS, 0)
  /** Slots that accept no more counts but are not part of a batch yet. */
  #sealed: Map<string, UsageSlot> = new Map()
  readonly #passes: Passes<void> = new Passes(() => this.#sendAll())
  #toldDropped = false
  /** Uses that could not be counted: the store was unreachable and every buffer full, or the store refused them. */
  dropped = 0

  constructor(store: GuardedStore, nodeId: () => string, clock: () => number, report: Report) {
    this.#store = store
    this.#clock = clock
    this.#report = report
    const now = (): number => this.#dates.of(clock()) ?? 0
    this.#sender = new UsageSender(store, { nodeId, now, drop: (sheet, why, cause) => this.#dropSheet(sheet, why, cause) })
  }

  /** The number of batches that were written. */
  get batches(): number {
    return this.#sender.batches
  }

  /** The number of counters in the batches that were written. */
  get rows(): number {
    return this.#sender.rows
  }

  /** Returns whether there is anything to write. */
  get pending(): boolean {
    return this.#slots.size > 0 || this.#sealed.size > 0 || this.#sender.left.length > 0
  }

  /** How many tokens have unwritten uses. */
  get waiting(): number {
    return this.#sender.left.reduce((sum, { lastUses }) => sum + lastUses.length, this.#slots.size + this.#sealed.size)
  }

  /** Records that the token was accepted at `now`. */
  touch(entry: Entry, now: number, ip: string | undefined): void {
    const at = this.#dates.of(now)
    if (at !== undefined) this.#slot(entry)?.touch(at, ip)
  }

  /** Records that a credential that also ends when this token ends was accepted at `now`. The entry of the token may have left the cache. */
  touchOther(token: Counted, now: number): void {
    const at = this.#dates.of(now)
    if (at !== undefined) this.#slotById(token)?.touch(at, undefined)
  }

  /** Counts one use. Strings are empty where unknown; `scope` names what the route required. */
  count(entry: Entry, now: number, endpoint: string, outcome: string, scope: string, ip: string | undefined): void {
    const at = this.#dates.of(now)
    const slot = at === undefined ? undefined : this.#slot(entry, outcome)
    if (slot === undefined || at === undefined) this.#drop()
    else slot.count(at, endpoint, outcome, scope, ip)
  }

  /** Counts one allowed use, at the time at which the token was last accepted, so that no clock is read for it. */
  countAllowed(entry: Entry, endpoint: string, scope: string, ip: string | undefined): void {
    const slot = this.#slot(entry)
    const at = slot?.touchedAt ?? this.#dates.of(this.#clock())
    if (slot === undefined || at === undefined) this.#drop()
    else slot.count(at, endpoint, 'allowed', scope, ip)
  }

  /** Returns the last unwritten use of a token. */
  lastUse(tokenId: string): LastUse | undefined {
    const use = this.#slots.get(tokenId)?.lastUse() ?? this.#sealed.get(tokenId)?.lastUse()
    return use ?? this.#sender.lastUse(tokenId)
  }

  /**
   * Writes everything that was counted before this call. Calls that arrive during a pass share the next one.
   *
   * @throws StoreUnavailableError `store_unavailable`; nothing is lost, the next flush sends it again
   */
  async flush(): Promise<void> {
    await this.#passes.run()
  }

  async #sendAll(): Promise<void> {
    await this.#sendSealed()
    this.#seal()
    await this.#sendSealed()
    this.#sender.check()
  }

  // Created one at a time: creating them all at once would delay requests, as would sending them without a pause.
  async #sendSealed(): Promise<void> {
    await this.#sender.send(() => this.#nextSheet())
  }

  // Later uses go into new slots.
  #seal(): void {
    this.#sealed = this.#slots
    for (const slot of this.#sealed.values()) slot.sealed = true
    this.#slots = new Map()
    this.#shares = new UsageShares(MAX_SLOTS, MAX_ROWS_BUFFERED)
    this.#strangers = new UsageShares(MAX_STRANGE_SLOTS, 0)
    this.#toldDropped = false
  }

  #nextSheet(): UsageSheet | undefined {
    const slots: UsageSlot[] = []
    let rows = 0
    for (const [tokenId, slot] of this.#sealed) {
      this.#sealed.delete(tokenId)
      slots.push(slot)
      rows += slot.rows
      if (rows >= this.#store.usageRows) break
    }
    if (slots.length === 0) return undefined
    return {
      counts: slots.flatMap((slot) => slot.counts()),
      addresses: slots.flatMap((slot) => slot.addresses()),
      lastUses: slots.flatMap((slot) => slot.lastUse() ?? []),
    }
  }

  #dropSheet(sheet: UsageSheet, why: string, cause: unknown): void {
    this.dropped += usesOf(sheet)
    this.#report('flush', new StoreUnavailableError(why, cause))
  }

  // Reported once per flush interval, because losses in a flood must not be reported one by one.
  #drop(): void {
    this.dropped += 1
    if (this.#toldDropped) return
    this.#toldDropped = true
    this.#report(
      'flush',
      new StoreUnavailableError(
        'uses are not counted: too many tokens, or too many of one tenant, have counts waiting for the store, or the clock option returns an invalid time',
      ),
    )
  }

  #slot(entry: Entry, outcome?: string): UsageSlot | undefined {
    const current = entry.slot
    if (current instanceof UsageSlot && !current.sealed) return current
    const slot = this.#slotById(entry, outcome)
    if (slot !== undefined) entry.slot = slot
    return slot
  }

  #slotById(token: Counted, outcome?: string): UsageSlot | undefined {
    return this.#slots.get(token.id) ?? this.#createSlot(token, outcome)
  }

  #createSlot(token: Counted, outcome: string | undefined): UsageSlot | undefined {
    const share = this.#shares.of(token)
    const payer = outcome === STRANGER ? this.#strangers.of(token) : share
    if (!payer.takeSlot()) return undefined
    const slot = new UsageSlot(token.id, share)
    this.#slots.set(token.id, slot)
    if (this.#slots.size === CROWDED) this.flush().catch((error: unknown) => this.#report('flush', error))
    return slot
  }
}
