import type { ListedEvent } from '../model/event.js'
import { newFault } from '../store/describe-fault.js'
import type { GuardedStore } from '../store/guarded-store.js'
import { ReadSize } from '../store/read-page.js'
import type { Report } from '../store/reporter.js'
import { callHandler, type ListedEventHandler } from './call-handler.js'
import { ConsumerClaim } from './consumer-claim.js'
import { isRetryLater } from './retry-later.js'
import type { ConsumerReads } from './shared-read.js'

/** A consumer without work for this long is idle. */
const QUIET_AFTER_MS = 30_000
/** The longest uninterrupted wait, because the holder of a consumer must renew its claim in between. */
const LONGEST_WAIT_MS = 2_000
/** After a crash, at most the events of this period are delivered again. */
const SAVE_EVERY_MS = 1_000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000
/** How often a consumer yields between two events, so that other work in this process can run. */
const TURN_EVERY_MS = 10

/** Settings of a consumer. */
export type ConsumerOptions = {
  readonly prefix: string
  readonly name: string
  readonly holder: string
  readonly handler: ListedEventHandler
  readonly from: 'start' | 'now'
  readonly timeoutMs: number
  /** How long stopping waits for a running handler. */
  readonly graceMs: number
  readonly monotonic: () => number
  /** Also counts the time during which the machine was asleep. */
  readonly elapsed: () => number
  readonly report: Report
  readonly reads: ConsumerReads
}

/**
 * Passes the audit events of a prefix to a handler, in store order, at least once, and on one node at a time.
 *
 * The position is kept in the store, so the node that takes over after a crash continues from the last saved position. A faulty handler delays this consumer
 * and nothing else: the same event is retried with increasing delays.
 */
export class Consumer {
  readonly name: string
  readonly #store: GuardedStore
  readonly #options: ConsumerOptions
  readonly #claim: ConsumerClaim
  readonly #stopping: AbortController = new AbortController()
  #wakeUp: (() => void) | undefined
  #woken = false
  #savedAt = Number.NEGATIVE_INFINITY
  #turnAt = Number.NEGATIVE_INFINITY
  #busyAt: number
  #failures = 0
  #retryAt = Number.NEGATIVE_INFINITY
  #failedAt: number | undefined
  #done: Promise<void> | undefined

  constructor(store: GuardedStore, options: ConsumerOptions) {
    this.name = options.name
    this.#store = store
    this.#options = options
    this.#claim = new ConsumerClaim(store, { ...options, rows: options.reads.rows })
    this.#busyAt = options.monotonic()
  }

  start(): void {
    this.#done ??= this.#run()
  }

  /** Signals that there may be events to read. */
  wake(): void {
    this.#woken = true
    this.#wakeUp?.()
  }

  /** Waits for a running handler, within limits; saves the progress and lets another node take over. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wakeUp?.()
    await this.#done
  }

  /** Status on this node: the `seq` of the last handled event, if this node reads, and the failures since an event was last accepted. */
  get state(): { readonly position?: number; readonly failures: number; readonly failedMsAgo?: number } {
    return {
      ...(this.#claim.held && { position: this.#claim.position }),
      failures: this.#failures,
      ...(this.#failedAt !== undefined && { failedMsAgo: this.#options.monotonic() - this.#failedAt }),
    }
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#round()
      } catch (error) {
        if (!this.#stopped) this.#options.report('consumer', error)
        this.#failed()
      }
      await this.#rest()
    }
    try {
      await this.#claim.release()
    } catch {
      // The store call has already reported the failure. Another node takes over once the claim has expired.
    }
  }

  async #round(): Promise<void> {
    const now = this.#options.monotonic()
    if (!(await this.#claim.hold(now - this.#busyAt >= QUIET_AFTER_MS)) || this.#options.monotonic() < this.#retryAt) return
    const woken = this.#woken
    this.#woken = false
    // Events of other nodes are polled for once a second; events of this node are announced.
    if (!woken && (await this.#options.reads.newest.recent()) <= this.#claim.position) return
    const size = new ReadSize()
    for (;;) {
      const limit = size.rows
      const page = await this.#store.events({ prefix: this.#options.prefix, order: 'oldest', after: this.#claim.position, limit })
      size.add(page)
      for (const event of page) if (!(await this.#hand(event))) return
      if (page.length > 0) await this.#save()
      if (page.length < limit) return
    }
  }

  /** Returns whether to continue. */
  async #hand(event: ListedEvent): Promise<boolean> {
    await this.#giveWay()
    this.#busyAt = this.#options.monotonic()
    if (this.#stopped || !(await this.#claim.hold())) return false
    // Another node held the claim in between and made more progress.
    if (event.seq <= this.#claim.position) return true
    const { handler, timeoutMs, graceMs, report } = this.#options
    let waitMs: number | undefined
    const taken = await callHandler({
      handler,
      event,
      timeoutMs,
      graceMs,
      stopping: this.#stopping.signal,
      everyMs: LONGEST_WAIT_MS,
      hold: () => this.#claim.hold(),
      failed: (error) => {
        if (isRetryLater(error)) waitMs = error.waitMs
        else report('consumer', newFault(error))
      },
    })
    if (taken) this.#claim.moveTo(event.seq)
    else if (!this.#stopped) this.#failed(waitMs)
    if (!taken || this.#options.monotonic() - this.#savedAt >= SAVE_EVERY_MS) await this.#save()
    if (taken) this.#failures = 0
    return taken
  }

  async #save(): Promise<void> {
    this.#savedAt = this.#options.monotonic()
    await this.#claim.save()
  }

  #failed(waitMs?: number): void {
    const now = this.#options.monotonic()
    // Nodes that failed together should not retry together.
    const ownWait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures) * (0.5 + Math.random() / 2)
    this.#failures += 1
    this.#failedAt = now
    this.#retryAt = now + (waitMs ?? ownWait)
  }

  async #rest(): Promise<void> {
    const left = this.#retryAt - this.#options.monotonic()
    if (left > 0) await this.#wait(Math.min(left, LONGEST_WAIT_MS), false)
    else if (this.#claim.held) await this.#wait(this.#options.reads.newest.lookInMs, true)
    else await this.#wait(this.#options.reads.rows.lookInMs, false)
  }

  // Its timer keeps the process alive, because in a process that only consumes, nothing else does.
  async #wait(ms: number, wakeable: boolean): Promise<void> {
    if (this.#stopped || (wakeable && this.#woken)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wakeUp = () => {
        if (!wakeable && !this.#stopped) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wakeUp = undefined
  }

  // A synchronous handler would otherwise block everything else in this process between two events.
  async #giveWay(): Promise<void> {
    const now = this.#options.monotonic()
    if (now - this.#turnAt < TURN_EVERY_MS) return
    this.#turnAt = now
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
}
