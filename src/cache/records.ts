import type { MaybePromise } from '../model/json.js'
import type { Catalogue } from '../policy/catalogue.js'
import { compileFilters } from '../store/compile-filter.js'
import { callOut } from '../store/deadline.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { OwnerChange, TokenFilter } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'
import { isUnanswered } from '../store/unanswered.js'
import { BoundedMap } from './bounded-map.js'
import type { ElapsedClock } from './elapsed.js'
import { Entries } from './entries.js'
import { compileEntry, type Entry } from './entry.js'
import { Follower } from './follower.js'
import { GuessingBudget, namesOf } from './guessing.js'
import { Loader } from './loader.js'
import { ownersIn } from './owners-in.js'
import { Shown } from './shown.js'
import { SparingDrops } from './sparing-drops.js'
import { Unsettled } from './unsettled.js'

const MAX_MISSES = 10_000
/** How long an ID is remembered as missing. Short, so that a wrong answer from the store does not last. */
const MISS_MS = 500

type Miss = { visited: boolean; readonly until: number }

/** Receives changes from the cache. */
export type RecordListener = {
  /** This token may have changed; the cache no longer returns its old state. */
  changed(id: string): void
  /** The tokens that match may have changed. */
  bulkChanged(filters: readonly TokenFilter[]): void
  everythingChanged(): void
  ownerChanged(owner: OwnerChange): void
  /** The feed cannot be read. */
  lost(): void
}

/** Settings of the record cache. */
export type RecordCacheOptions = {
  readonly nodeId: () => string
  /** Tokens with other prefixes do not exist for this instance. */
  readonly prefix: string
  readonly catalogue: Catalogue
  /** Absent: nothing is cached, and every verification reads the store. */
  readonly maxEntries: number | undefined
  readonly maxStalenessMs: number
  readonly serveStaleMs: number
  readonly deadlineMs: number
  readonly clock: () => number
  readonly monotonic: () => number
  /** A clock that includes sleep, used to measure age. */
  readonly elapsed: ElapsedClock
  readonly report: Report
  readonly background: Background
}

/**
 * Provides the records on which verification bases its decisions, from memory if the change feed was read recently enough, otherwise from the store.
 *
 * It keeps records, never decisions or token text. IDs that do not exist are kept separately, so that junk cannot evict good entries.
 */
export class RecordCache {
  readonly follower: Follower
  readonly #entries: Entries<Entry>
  readonly #misses: BoundedMap<Miss> = new BoundedMap(MAX_MISSES)
  readonly #shown: Shown
  readonly #loader: Loader<Entry | undefined>
  readonly #guessing: GuessingBudget
  readonly #sparing: SparingDrops
  readonly #options: RecordCacheOptions
  readonly #listener: RecordListener
  readonly #keeps: boolean
  readonly #unsettled: Unsettled = new Unsettled()
  /** When this node last changed something. Until a later read has reached the end of the feed, a record of the feed's age may predate that change. */
  #changedAt = Number.NEGATIVE_INFINITY

  constructor(store: GuardedStore, options: RecordCacheOptions, listener: RecordListener) {
    this.#options = options
    this.#listener = listener
    this.#keeps = options.maxEntries !== undefined
    this.#entries = new Entries(options.maxEntries ?? 1, options.background)
    this.#guessing = new GuessingBudget(options.monotonic)
    const drop = (filters: readonly TokenFilter[]): void => {
      this.bulkChanged(filters)
      // The feed might not grow, and no replica can be used until the feed is read again.
      this.follower.wake()
    }
    this.#sparing = new SparingDrops({ ...options, drop })
    this.follower = new Follower(
      store,
      {
        changed: (id) => this.#drop(id, true),
        bulkChanged: (filters) => this.#dropMatching(filters),
        ownerChanged: (owner) => listener.ownerChanged(owner),
        everythingChanged: () => this.everythingChanged(),
        lost: () => listener.lost(),
      },
      { ...options, monotonic: options.elapsed },
    )
    this.#shown = new Shown(this.follower)
    this.#loader = new Loader(
      store,
      () => ({ epoch: this.follower.epoch, position: this.follower.positionSince(this.#changedAt) }),
      (load, record) => {
        // Environments may share a store. No environment sees the tokens of another.
        const entry = record?.prefix === options.prefix ? compileEntry(record, options.catalogue) : undefined
        // A read that began before this node followed the feed, or before a change that is known by now, must not fill the cache.
        const kept = this.#keeps && !this.#unsettled.includes(load.id, entry)
        if (kept && load.epoch === this.follower.epoch && !load.outdated) {
          if (entry === undefined) this.#misses.set(flat(load.id), { visited: false, until: options.elapsed() + MISS_MS })
          else this.#entries.add(entry)
        }
        return entry
      },
      options,
    )
  }

  /** Returns the cached entry if it can be trusted now. `shown`: the wall-clock time that was just read. */
  get(id: string, shown?: number): Entry | undefined {
    return this.#keeps && this.follower.isFresh(shown) ? this.#entries.get(id) : undefined
  }

  /** Returns whether the cache knows that the token does not exist. */
  isKnownMissing(id: string): boolean {
    const miss = this.#keeps && this.follower.isFresh() ? this.#misses.get(id) : undefined
    return miss !== undefined && this.#options.elapsed() < miss.until
  }

  /** Returns whether this address has presented so many forged tokens that the store is not queried for it now. */
  isThrottled(ip: string | undefined): boolean {
    return this.#guessing.spent(ip)
  }

  /** Charges this address for a read caused by a forged token. */
  noteGuess(ip: string | undefined): void {
    this.#guessing.spend(ip)
  }

  /**
   * Reads the entry from the store. Returns `undefined` if there is no such token, which is charged to the address. `leftMs` is the part of the deadline
   * that earlier calls left.
   *
   * @throws StoreUnavailableError `store_unavailable`
   */
  read(id: string, ip: string | undefined, leftMs?: number): Promise<Entry | undefined> {
    const fresh = this.#keeps && this.follower.isFresh() && !this.#unsettled.includes(id) && !this.#shown.isAhead(id)
    if (this.#keeps) this.follower.start()
    return this.#inTime(leftMs, () => this.#loader.load(id, fresh, namesOf(ip))).then(
      (entry) => {
        if (entry === undefined) this.noteGuess(ip)
        return entry
      },
      (error) => {
        // A caller could otherwise have its revoked token accepted by using up its own share of the reads.
        const entry = isUnanswered(error) || this.#loader.hangs() ? this.#stale(id) : undefined
        if (entry === undefined) throw error
        this.#options.report('verify', error)
        return entry
      },
    )
  }

  /**
   * Returns whether work with this token may continue while the store cannot be read. It may if the feed can still be trusted and announced no change, or if a
   * new request would be served anyway.
   */
  bridges(id: string, hasChanged: boolean): boolean {
    return (!hasChanged && this.follower.isFresh()) || this.#stale(id) !== undefined
  }

  // The entry that a verification falls back to if the store fails.
  #stale(id: string): Entry | undefined {
    return this.follower.freshWithin(this.#options.serveStaleMs) ? this.#entries.get(id) : undefined
  }

  /** Reads the entry from the store, bypassing the cache and pending reads. */
  readAgain(id: string, leftMs?: number): Promise<Entry | undefined> {
    return this.#inTime(leftMs, () => this.#loader.load(id, false))
  }

  // A read has its own deadline, which is enough for a request that has waited for nothing else. Without time left, no caller would wait for a read.
  #inTime(leftMs: number | undefined, read: () => Promise<Entry | undefined>): Promise<Entry | undefined> {
    if (leftMs === undefined) return read()
    const { deadlineMs, report } = this.#options
    return new Promise((resolve) => resolve(callOut({ what: 'the store', where: 'store.find', deadlineMs, leftMs, report }, read)))
  }

  /**
   * Marks a token as part of a host transaction. Until its commit is known, neither its record nor its absence is cached, because nothing signals when or
   * how that transaction ends.
   */
  expect(id: string): void {
    this.changed(id)
    if (!this.#keeps) return
    this.#unsettled.expect(id)
    // Another node may notice the commit first, so this node must already follow the feed by then.
    this.follower.start()
  }

  /** Undoes one call to `expect`, because nothing was created. */
  expectNot(id: string): void {
    this.#unsettled.expectNot(id)
  }

  /**
   * Ensures that no later verification sees a state of this token that is older than the one that a caller was shown, which another node may have written. Other
   * tokens are not affected: many such calls must not send all reads to the primary.
   */
  shown(id: string): void {
    this.#drop(id, false)
    if (!this.#keeps || this.#shown.add(id, this.#options.elapsed())) return
    this.#changedAt = this.#options.elapsed()
    this.follower.wake()
  }

  /** Like `changed`, for a token whose current state is known to be committed. */
  committed(id: string): void {
    this.#changedAt = this.#options.elapsed()
    this.#drop(id, true)
  }

  /**
   * Makes a change to these tokens. Until the store has finished the change, reads of the tokens do not fill the cache. So even if the caller stops waiting and
   * drops the tokens, every later verification sees the outcome once it is known.
   */
  changing<T>(ids: readonly string[], change: () => MaybePromise<T>): Promise<T> {
    return this.#unsettled.during(ids, change, () => this.changedAll(ids))
  }

  /** Like `changing`, for all tokens that match. */
  async bulkChanging<T extends { readonly count: number }>(filter: TokenFilter, change: () => MaybePromise<T>): Promise<T> {
    let result: T | undefined
    const noted = async (): Promise<T> => {
      result = await change()
      return result
    }
    const made = await this.#unsettled.duringBulk(compileFilters([filter]), noted, () => {
      if (result?.count !== 0) this.bulkChanged([filter])
    })
    if (made.count === 0) await this.#sparing.drop(filter)
    return made
  }

  /** Ensures that no later verification sees the previous state of this token. */
  changed(id: string): void {
    this.#changedAt = this.#options.elapsed()
    this.#drop(id, false)
  }

  changedAll(ids: readonly string[]): void {
    for (const id of ids) this.changed(id)
  }

  #drop(id: string, committed: boolean): void {
    if (committed) this.#unsettled.committed(id)
    this.#entries.delete(id)
    this.#misses.delete(id)
    this.#loader.outdate(id)
    this.#listener.changed(id)
  }

  /** Ensures that no later verification sees the previous state of a token that matches one of these filters. */
  bulkChanged(filters: readonly TokenFilter[]): void {
    this.#changedAt = this.#options.elapsed()
    this.#dropMatching(filters)
  }

  #dropMatching(filters: readonly TokenFilter[]): void {
    const own = filters.filter(({ prefix }) => prefix === this.#options.prefix)
    if (own.length === 0) return
    const matches = compileFilters(own)
    this.#entries.dropWhere(matches)
    this.#loader.outdateWhere(matches)
    this.#listener.bulkChanged(own)
    // A revocation by owner means that the owner's permissions may have changed.
    for (const owner of own.flatMap(ownersIn)) this.#listener.ownerChanged(owner)
  }

  /** Ensures that no later verification sees the previous state of any token. */
  everythingChanged(): void {
    this.#entries.clear()
    this.#misses.clear()
    this.#loader.outdateAll()
    this.#listener.everythingChanged()
  }

  async stop(): Promise<void> {
    await this.follower.stop()
    this.#entries.clear()
    this.#misses.clear()
  }
}

// The ID is a substring of a token, and engines keep the whole string alive behind a substring. A copy releases the token's text.
function flat(id: string): string {
  return String.fromCharCode(...Array.from(id, (char) => char.charCodeAt(0)))
}
