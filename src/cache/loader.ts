import { StoreUnavailableError } from '../errors.js'
import type { StoredToken } from '../model/record.js'
import type { Filtered } from '../store/compile-filter.js'
import { DeadlineError, isThenable } from '../store/deadline.js'
import { deferred } from '../store/deferred.js'
import type { FoundRecords } from '../store/found-records.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { noteUnanswered } from '../store/unanswered.js'
import { LookupShares, type Origin } from './lookup-shares.js'

/** Several small reads are faster than a large one, because this process handles the records of one read while the store works on another read. */
const IDS_A_READ = 32
/** With this many reads under way, the store is busy, and fewer but larger reads are cheaper for it. */
const MANY_READS = 8
const MAX_IDS_A_READ = 200
/** The maximum number of concurrent reads. Further requests wait, and are sent in larger batches. */
const MAX_READS = 64
/** The maximum number of IDs waiting for a read. */
const MAX_WAITING = 10_000

/** A pending read of one ID. */
export type Load<T> = {
  readonly id: string
  readonly result: Promise<T>
  readonly resolve: (result: T) => void
  readonly reject: (error: unknown) => void
  /** The deadline of its callers, on the monotonic clock. */
  readonly dueAt: number
  /** Whether the read was sent to the store. Until then any caller may join; afterward only a caller that accepts data of that age. */
  sent: boolean
  /** The follower's epoch when the read was sent. */
  epoch: number
  /** Whether the primary must be read. A caller that joins before the read is sent may require this. */
  strict: boolean
  /** Whether a change to this ID became known after the read was sent. Its answer then serves only the callers that were already waiting. */
  outdated: boolean
  /** The caller that this read counts toward until it settles. Absent: this library itself. */
  caller: Origin | undefined
  /** The last bulk change that was known when the read was sent. If the record found matches a later bulk change, the read is outdated. */
  since: Bulk | undefined
}

/** How far the feed has been followed. */
export type Following = {
  /** The follower's epoch. */
  readonly epoch: number
  /** A record as of this position can be trusted; `undefined` if the primary must be read. */
  readonly position: string | undefined
}

/** Settings of a loader. */
export type LoaderOptions = { readonly deadlineMs: number; readonly monotonic: () => number; readonly report: Report }

/** A bulk change, linked to the next bulk change that became known. */
type Bulk = { readonly matches: (token: Filtered) => boolean; next: Bulk | undefined }

/** Reads records. Misses in one tick share a `find`, misses of one ID share one read, and each result is handled once. */
export class Loader<T> {
  readonly #store: GuardedStore
  readonly #following: () => Following
  readonly #arrive: (load: Load<T>, record: StoredToken | undefined) => T
  readonly #options: LoaderOptions
  readonly #loads: Map<string, Load<T>> = new Map()
  #queue: Load<T>[] = []
  #underWay = 0
  #sending = false
  /** Reads that could not be sent immediately, oldest first, until they are settled: their wait counts against their deadline. */
  readonly #delayed: Set<Load<T>> = new Set()
  readonly #shares: LookupShares = new LookupShares()
  #timer: ReturnType<typeof setTimeout> | undefined
  #lastBulk: Bulk = { matches: () => false, next: undefined }

  constructor(
    store: GuardedStore,
    following: () => Following,
    arrive: (load: Load<T>, record: StoredToken | undefined) => T,
    options: LoaderOptions,
  ) {
    this.#store = store
    this.#options = options
    this.#following = following
    this.#arrive = arrive
  }

  /**
   * Joins the read of `id` that is waiting to be sent or, if `fresh`, a read that is already under way; otherwise starts a read. `fresh` means that cached
   * records can be trusted now, so a record of the same age can be trusted too. The read counts toward the share of `caller`, which is absent for reads of
   * this library itself.
   */
  load(id: string, fresh: boolean, caller?: Origin): Promise<T> {
    const current = this.#loads.get(id)
    // After a bulk change, whether a read under way is outdated is unknown until its record arrives, so new callers do not join it.
    if (current !== undefined && (!current.sent || (fresh && current.since?.next === undefined))) {
      if (!fresh) current.strict = true
      return current.result
    }
    const free = MAX_WAITING - this.#queue.length
    if (free <= 0) return Promise.reject(new StoreUnavailableError('too many verifications are waiting for the store'))
    if (caller !== undefined && this.#shares.isUsedUp(caller, free)) {
      return Promise.reject(new StoreUnavailableError('too many verifications from this address are waiting for the store'))
    }
    return this.#enqueue(id, !fresh, caller).result
  }

  /** Returns whether the store has not answered the oldest read for half of its deadline. */
  hangs(): boolean {
    const { monotonic, deadlineMs } = this.#options
    for (const load of this.#loads.values()) if (load.sent) return load.dueAt - monotonic() <= deadlineMs / 2
    return false
  }

  /** Records that `id` changed: later callers no longer join a read that was sent earlier, and a read that was not sent yet goes to the primary. */
  outdate(id: string): void {
    const load = this.#loads.get(id)
    if (load === undefined) return
    load.strict = true
    if (!load.sent) return
    load.outdated = true
    this.#loads.delete(id)
  }

  /** Like `outdate`, for every ID. */
  outdateAll(): void {
    for (const id of [...this.#loads.keys()]) this.outdate(id)
  }

  /** Like `outdate`, for the tokens that match. */
  outdateWhere(matches: (token: Filtered) => boolean): void {
    const bulk = { matches, next: undefined }
    this.#lastBulk.next = bulk
    this.#lastBulk = bulk
  }

  #enqueue(id: string, strict: boolean, caller: Origin | undefined): Load<T> {
    const { promise: result, resolve, reject } = deferred<T>()
    const dueAt = this.#options.monotonic() + this.#options.deadlineMs
    const load: Load<T> = { id, result, resolve, reject, dueAt, sent: false, epoch: 0, strict, outdated: false, caller, since: undefined }
    if (caller !== undefined) this.#shares.add(caller)
    // The replaced read still answers its callers. Later changes cannot find it anymore, so it counts as outdated from now on.
    const previous = this.#loads.get(id)
    if (previous !== undefined) previous.outdated = true
    this.#loads.set(id, load)
    // IDs that wait for a free read are sent when a read ends.
    if (this.#underWay < MAX_READS && this.#queue.length === 0) queueMicrotask(() => this.#send())
    this.#queue.push(load)
    if (this.#underWay >= MAX_READS) this.#delay(load)
    return load
  }

  #delay(load: Load<T>): void {
    this.#delayed.add(load)
    this.#armTimer()
  }

  #send(): void {
    if (this.#sending) return
    this.#sending = true
    while (this.#queue.length > 0 && this.#underWay < MAX_READS) {
      this.#read(this.#queue.splice(0, this.#underWay < MANY_READS ? IDS_A_READ : MAX_IDS_A_READ))
    }
    this.#sending = false
    for (const load of this.#queue) this.#delay(load)
  }

  #read(batch: readonly Load<T>[]): void {
    this.#underWay += 1
    // Read the position before the read begins, because later changes will still arrive through the feed and invalidate the records.
    const { epoch, position } = this.#following()
    for (const load of batch) {
      load.sent = true
      load.since = this.#lastBulk
      load.epoch = epoch
    }
    try {
      const strict = batch.some((load) => load.strict)
      const found = this.#store.find(
        batch.map((load) => load.id),
        strict ? undefined : position,
      )
      if (isThenable(found))
        found.then(
          (records) => this.#settle(batch, records),
          (error: unknown) => this.#fail(batch, error),
        )
      else this.#settle(batch, found)
    } catch (error) {
      this.#fail(batch, error)
    }
  }

  #settle(batch: readonly Load<T>[], records: FoundRecords): void {
    this.#free()
    for (const load of batch) {
      this.#forget(load)
      try {
        const record = records.get(load.id)
        if (record !== undefined && isOutdated(record, load.since)) load.outdated = true
        load.resolve(this.#arrive(load, record))
      } catch (error) {
        load.reject(error)
      }
    }
  }

  #fail(batch: readonly Load<T>[], error: unknown): void {
    this.#free()
    for (const load of batch) {
      this.#forget(load)
      load.reject(error)
    }
  }

  #armTimer(): void {
    const [oldest] = this.#delayed
    if (this.#timer !== undefined || oldest === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#expire()
        this.#armTimer()
      },
      Math.max(1, oldest.dueAt - this.#options.monotonic()),
    )
  }

  #expire(): void {
    const now = this.#options.monotonic()
    const late: Load<T>[] = []
    for (const load of this.#delayed) {
      if (load.dueAt > now) break
      late.push(load)
    }
    if (late.length === 0) return
    const error = new DeadlineError('the store did not answer in time; reads were waiting for it')
    this.#options.report('store.find', error)
    noteUnanswered(error)
    this.#queue = this.#queue.filter((load) => load.dueAt > now)
    for (const load of late) {
      // No caller waits for the result of this read, and later changes can no longer be matched with it.
      load.outdated = true
      this.#forget(load)
      load.reject(error)
    }
  }

  #free(): void {
    this.#underWay -= 1
    if (this.#queue.length > 0) queueMicrotask(() => this.#send())
  }

  #forget(load: Load<T>): void {
    if (load.caller !== undefined) this.#shares.remove(load.caller)
    load.caller = undefined
    if (this.#delayed.delete(load) && this.#delayed.size === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    if (this.#loads.get(load.id) === load) this.#loads.delete(load.id)
  }
}

function isOutdated(record: StoredToken, since: Bulk | undefined): boolean {
  for (let bulk = since?.next; bulk !== undefined; bulk = bulk.next) if (bulk.matches(record)) return true
  return false
}
