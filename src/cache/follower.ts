import type { MaybePromise } from '../model/json.js'
import { readClock } from '../policy/instant.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { FeedPage, OwnerChange, TokenFilter } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'
import { untilDone } from '../store/until-done.js'
import type { ElapsedClock } from './elapsed.js'

const PAGE = 1000
const LEASE_MS = 90_000
const LEASE_RENEWAL_MS = 30_000
/** The maximum number of pending reads while none returns. Each occupies a connection. */
const ATTEMPTS = 3
/** A read is retried after 1/`PARTS` of the deadline, but not before `RETRY_MS`. */
const PARTS = 8
const RETRY_MS = 250

/** Receives the changes from the feed. */
export type FeedListener = {
  changed(id: string): void
  /** Tokens that match one of these may have changed. */
  bulkChanged(filters: readonly TokenFilter[]): void
  ownerChanged(owner: OwnerChange): void
  everythingChanged(): void
  /** No read of the feed has succeeded within the bound. Called once per bound while this lasts. */
  lost(): void
}

/**
 * Follows the store's change feed, so that cached records can be trusted.
 *
 * Cached records count only while the last successful read of the feed began less than `maxStalenessMs` ago on the monotonic clock.
 * The timer and the store's wake-ups only trigger the next read; no decision depends on them.
 */
export class Follower {
  /** Incremented whenever following restarts; 0 until it has started. A read that began in another epoch must not fill the cache. */
  epoch = 0
  readonly #store: GuardedStore
  readonly #listener: FeedListener
  readonly #nodeId: () => string
  readonly #maxStalenessMs: number
  readonly #retryMs: number
  readonly #clock: () => number
  readonly #monotonic: ElapsedClock
  readonly #report: Report
  readonly #background: Background
  #cursor: string | undefined
  #freshUntil = Number.NEGATIVE_INFINITY
  /** The start time of the last read that reached the end of the feed. */
  #readAt: number | undefined
  #running = false
  #reading: Promise<void> | undefined
  #again = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #boundTimer: ReturnType<typeof setTimeout> | undefined
  #unsubscribe: (() => MaybePromise<void>) | undefined
  #subscribing = false
  #wakeUps: 'ok' | 'lost' | undefined
  #leaseCursor: string | undefined
  #leaseUntil = Number.NEGATIVE_INFINITY

  constructor(
    store: GuardedStore,
    listener: FeedListener,
    options: {
      nodeId: () => string
      maxStalenessMs: number
      deadlineMs: number
      clock: () => number
      monotonic: ElapsedClock
      report: Report
      background: Background
    },
  ) {
    this.#store = store
    this.#listener = listener
    this.#nodeId = options.nodeId
    this.#maxStalenessMs = options.maxStalenessMs
    this.#retryMs = Math.max(RETRY_MS, options.deadlineMs / PARTS)
    this.#clock = options.clock
    this.#monotonic = options.monotonic
    this.#report = options.report
    this.#background = options.background
  }

  /** Returns whether cached records can be trusted now. `shown`: the wall-clock time that was just read. */
  isFresh(shown?: number): boolean {
    return this.#monotonic(shown) < this.#freshUntil
  }

  /** The time since the feed was last read to its end; `undefined` if it never was. */
  get lagMs(): number | undefined {
    return this.#readAt === undefined ? undefined : this.#monotonic() - this.#readAt
  }

  /** Whether the store's wake-up channel works. `undefined` if there is no channel, or if it has not reported its state yet. */
  get wakeUps(): 'ok' | 'lost' | undefined {
    return this.#wakeUps
  }

  /** Returns the feed position, if it can be trusted now and the last read to the end of the feed began after this instant. */
  positionSince(instant: number): string | undefined {
    return this.isFresh() && this.#readAt !== undefined && this.#readAt > instant ? this.#cursor : undefined
  }

  /** Returns whether the feed was read within the bound plus `graceMs`. */
  freshWithin(graceMs: number): boolean {
    return this.#monotonic() < this.#freshUntil + graceMs
  }

  /** Starts following, if it has not started yet. */
  start(): void {
    if (this.#running) return
    this.#running = true
    this.#watchBound()
    void this.#background.run(() => this.#round())
  }

  /** Reads the feed now, or once more after the current read. */
  wake(): void {
    if (!this.#running) return
    if (this.#reading === undefined) void this.#background.run(() => this.#round())
    else this.#again = true
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#freshUntil = Number.NEGATIVE_INFINITY
    clearTimeout(this.#timer)
    clearTimeout(this.#boundTimer)
    await this.#reading
    await this.#endSubscription()
    try {
      if (this.#leaseCursor !== undefined) await this.#release(this.#leaseCursor)
    } catch (error) {
      // The lease expires on its own.
      this.#report('feed', error)
    }
  }

  // Releases the lease, so that no barrier waits for a node that has stopped.
  async #release(cursor: string): Promise<void> {
    await this.#store.renewLease({ nodeId: this.#nodeId(), cursor, expiresAt: 0 })
  }

  #round(): Promise<void> {
    clearTimeout(this.#timer)
    this.#reading = this.#follow().then(() => {
      this.#reading = undefined
      if (!this.#running) return
      if (this.#again) {
        this.#again = false
        void this.#round()
        return
      }
      this.#timer = this.#background.timer(() => void this.#round(), this.#maxStalenessMs / 4)
    })
    return this.#reading
  }

  async #follow(): Promise<void> {
    try {
      this.#subscribe()
      if (this.#cursor === undefined) await this.#begin()
      await this.#catchUp()
      await this.#renewLease()
    } catch (error) {
      this.#report('feed', error)
    }
  }

  // One attempt at a time, in the background: wake-ups are only hints, so a hanging channel must not delay the feed.
  #subscribe(): void {
    if (this.#unsubscribe !== undefined || this.#subscribing) return
    this.#subscribing = true
    this.#store
      .subscribe(
        () => {
          this.#wakeUps = 'ok'
          this.wake()
        },
        (error) => this.#loseWakeUps(error),
      )
      .then(async (unsubscribe) => {
        this.#unsubscribe = unsubscribe
        if (!this.#running) return await this.#endSubscription()
        // Catches up on changes that were committed before the channel existed.
        this.wake()
      })
      .catch((error: unknown) => this.#loseWakeUps(error))
      .finally(() => {
        this.#subscribing = false
      })
  }

  // Reported once until the channel works again, because the store keeps reconnecting.
  #loseWakeUps(error: unknown): void {
    if (!this.#running || this.#wakeUps === 'lost') return
    this.#wakeUps = 'lost'
    this.#report('store.subscribe', error)
  }

  async #endSubscription(): Promise<void> {
    const unsubscribe = this.#unsubscribe
    this.#unsubscribe = undefined
    try {
      await unsubscribe?.()
    } catch (error) {
      // Wake-ups are only hints, so a failed subscription is not fatal.
      this.#report('store.subscribe', error)
    }
  }

  // The lease is written before any record is trusted, so that no barrier can overlook this node.
  async #begin(): Promise<void> {
    const { answer: head } = await this.#insist(() => this.#store.changes(undefined, 1))
    await this.#writeLease(head.cursor)
    this.#cursor = head.cursor
    this.epoch += 1
    this.#listener.everythingChanged()
  }

  async #catchUp(): Promise<void> {
    await untilDone(this.#store.name, 'changes', async () => {
      if (this.#monotonic() >= this.#leaseUntil) await this.#writeLease(this.#cursor ?? '')
      const { answer: page, began } = await this.#insist(() => this.#store.changes(this.#cursor, PAGE))
      this.#apply(page)
      if (page.more) return true
      this.#readAt = began
      if (this.#running) this.#freshUntil = began + this.#maxStalenessMs
      return false
    })
  }

  // On a separate timer, so that the listener is notified when the bound passes, even while a read of the feed hangs.
  #watchBound(): void {
    const leftMs = this.isFresh() ? this.#freshUntil - this.#monotonic() : this.#maxStalenessMs
    this.#boundTimer = this.#background.timer(
      () => {
        if (!this.isFresh()) this.#listener.lost()
        this.#watchBound()
      },
      Math.max(1, leftMs),
    )
  }

  // Repeats the call while an answer is slow, and uses the first answer, because a call on a connection that died silently must not delay the follower.
  #insist<T>(call: () => Promise<T>): Promise<{ readonly answer: T; readonly began: number }> {
    return new Promise((resolve, reject) => {
      let attempts = 0
      let timer: ReturnType<typeof setTimeout> | undefined
      const attempt = (): void => {
        attempts += 1
        const began = this.#monotonic()
        if (attempts < ATTEMPTS) timer = this.#background.timer(attempt, this.#retryMs)
        // In an async function, because a clock that throws in a timer's callback would end the process.
        const asked = (async () => await call())()
        asked.then(
          (answer) => {
            clearTimeout(timer)
            resolve({ answer, began })
          },
          (error: unknown) => {
            clearTimeout(timer)
            reject(error)
          },
        )
      }
      attempt()
    })
  }

  #apply(page: FeedPage): void {
    this.#cursor = page.cursor
    if (page.everything) {
      this.#listener.everythingChanged()
      return
    }
    for (const id of page.ids) this.#listener.changed(id)
    if (page.bulk.length > 0) this.#listener.bulkChanged(page.bulk)
    for (const owner of page.owners) this.#listener.ownerChanged(owner)
  }

  async #renewLease(): Promise<void> {
    if (this.#cursor === undefined || this.#cursor === this.#leaseCursor) {
      if (this.#monotonic() < this.#leaseUntil - LEASE_RENEWAL_MS) return
    }
    await this.#writeLease(this.#cursor ?? '')
  }

  async #writeLease(cursor: string): Promise<void> {
    const began = this.#monotonic()
    // A lease without a valid instant would make the leases of all nodes unreadable.
    const expiresAt = readClock(this.#clock, 'no lease can be written') + LEASE_MS
    await this.#insist(() => this.#store.renewLease({ nodeId: this.#nodeId(), cursor, expiresAt }))
    this.#leaseCursor = cursor
    this.#leaseUntil = began + LEASE_MS / 2
  }
}
