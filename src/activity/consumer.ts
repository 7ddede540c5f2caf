import type { ListedEvent } from '../model/event.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { callHandler, type ListedEventHandler } from './call-handler.js'
import { ConsumerClaim } from './consumer-claim.js'
import { RetryLater } from './retry-later.js'
import type { ConsumerReads } from './shared-read.js'

/** A consumer that had nothing to do for so long is quiet. */
const QUIET_AFTER_MS = 30_000
/** The longest wait in one piece: whoever holds a consumer renews its claim in between. */
const LONGEST_WAIT_MS = 2_000
const PAGE = 100
/** After a crash at most the events of this time come again. */
const SAVE_EVERY_MS = 1_000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000
/** Between two events: others of this process get their turn. */
const TURN_EVERY_MS = 10

/** Settings of a consumer. */
export type ConsumerOptions = {
  readonly prefix: string
  readonly name: string
  readonly holder: string
  readonly handler: ListedEventHandler
  readonly from: 'start' | 'now'
  readonly timeoutMs: number
  /** How long a stop waits for a handler that is under way. */
  readonly graceMs: number
  readonly monotonic: () => number
  readonly report: Report
  readonly reads: ConsumerReads
}

/**
 * Hands the audit events of a prefix to a handler: in the order of the store, at least once, and one node at a time.
 *
 * Its position is kept in the store, so that whichever node goes on after a crash begins where it was saved last. What the handler does wrong
 * holds up this consumer and nothing else: the same event is tried again after growing waits.
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

  /** There may be events to read. */
  wake(): void {
    this.#woken = true
    this.#wakeUp?.()
  }

  /** Waits for a handler that is under way, within bounds; keeps what was handled, and lets another node go on. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wakeUp?.()
    await this.#done
  }

  /** How it fares on this node: the `seq` of what it handled last, where this node reads, and its failures since an event was taken. */
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
      // The store has told of it. Another node takes over once the claim has run out.
    }
  }

  async #round(): Promise<void> {
    const now = this.#options.monotonic()
    if (!(await this.#claim.hold(now - this.#busyAt >= QUIET_AFTER_MS)) || this.#options.monotonic() < this.#retryAt) return
    const woken = this.#woken
    this.#woken = false
    // Those of other nodes are looked for once a second; of those of this node it is told.
    if (!woken && (await this.#options.reads.newest.recent()) <= this.#claim.position) return
    for (;;) {
      const page = await this.#store.events({
        prefix: this.#options.prefix,
        order: 'oldest',
        after: this.#claim.position,
        limit: PAGE,
      })
      for (const event of page) if (!(await this.#hand(event))) return
      if (page.length > 0) await this.#save()
      if (page.length < PAGE) return
    }
  }

  /** Answers whether to go on. */
  async #hand(event: ListedEvent): Promise<boolean> {
    await this.#giveWay()
    this.#busyAt = this.#options.monotonic()
    if (this.#stopped || !(await this.#claim.hold())) return false
    // Another node held the claim in between, and went further.
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
        if (error instanceof RetryLater) waitMs = error.waitMs
        else report('consumer', error)
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
    // Nodes that failed together do not come back together.
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

  // Its timer keeps the process alive: a process that does nothing but consume has nothing else that would.
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

  // A handler that answers at once would let nothing else of this process run between two events.
  async #giveWay(): Promise<void> {
    const now = this.#options.monotonic()
    if (now - this.#turnAt < TURN_EVERY_MS) return
    this.#turnAt = now
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
}
