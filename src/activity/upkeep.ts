import { StoreUnavailableError } from '../errors.js'
import { isInstant } from '../policy/instant.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import { type Background, createTurns } from '../store/timer.js'
import { ConsumerClaim } from './consumer-claim.js'

const FIRST_LOOK_MS = 5_000
/** The time between two checks. They are repeated, because a node that was about to do the task may have crashed. */
const LOOK_EVERY_MS = 10_000
/** The longest time between two reads of when a task was last done. This node's clock may be wrong. */
const RECHECK_MS = 1_200_000

/** Periodic work that one node of a cluster does for all of them. */
export type UpkeepTask = {
  /** No host consumer has such a name: theirs start with a letter or a digit. */
  readonly name: `.${string}`
  /** Where its faults are reported. */
  readonly place: FaultPlace
  readonly everyMs: number
  /** Whether it removes or stops something based on an instant. If so, `sure` is never later than the clock of the store's server, if it has one. */
  readonly removes?: true
  /** Returns `false` if it was not done. */
  readonly run: (times: UpkeepTimes, goOn: () => Promise<boolean>) => Promise<unknown>
}

/** The instants for one run of a task. */
export type UpkeepTimes = {
  /** By the clock of this node, which may be wrong. */
  readonly now: number
  /** When any node last did the task; 0 before the first time. */
  readonly since: number
  /**
   * The instant that removals may be based on. A node uses its own clock if no other node is known and it was the last one to do the task. Otherwise, it uses
   * the last run, however far ahead its own clock is, or 0 (no instant) if the last run is in the future. If at least one node of a cluster has the right
   * time, it moves the last run back to that time, so no wrong clock removes anything still valid. If no other node is known, the clock of the store's
   * server is checked as well.
   */
  readonly sure: number
}

type UpkeepOptions = {
  readonly prefix: string
  readonly holder: () => string
  readonly clock: () => number
  readonly monotonic: () => number
  /** Also counts the time during which the machine was asleep. */
  readonly elapsed: () => number
  readonly report: Report
  /** Whether no other node is known. */
  readonly isAlone: () => Promise<boolean>
  /** The clock of the store's server, if it has one. */
  readonly serverTime: () => Promise<number | undefined>
  readonly background: Background
}

/** Runs a task on schedule: starts after the store's first use, off every request's path, and never keeps the process alive. */
export class Upkeep {
  readonly #store: GuardedStore
  readonly #task: UpkeepTask
  readonly #options: UpkeepOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  #working: Promise<void> | undefined
  #claim: ConsumerClaim | undefined
  /** When the task was last done, as far as this node knows. */
  #doneAt = 0
  #askedAt = Number.NEGATIVE_INFINITY
  /** When this node last did the task. */
  #doneHereAt = 0
  #stopped = false

  constructor(store: GuardedStore, task: UpkeepTask, options: UpkeepOptions) {
    this.#store = store
    this.#task = task
    this.#options = options
  }

  start(): void {
    this.#schedule(FIRST_LOOK_MS)
  }

  /** Resolves when a running batch has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#working
  }

  /** Runs the task if it is due and no other node is running it. */
  async look(): Promise<void> {
    const { clock } = this.#options
    this.#doneAt = await this.#lastDone()
    this.#askedAt = clock()
    if (!this.#isDue(clock())) return
    const claim = this.#claimOfTask()
    if (!(await claim.hold())) return
    this.#doneAt = claim.position
    const now = Math.floor(clock())
    if (!this.#isDue(now)) return
    this.#tellOfClocks(claim.position, now)
    try {
      const times = { now, since: claim.position, sure: await this.#sureInstant(claim.position, now) }
      const giveWay = createTurns(this.#options.monotonic)
      // Checked between small batches: if it returns false, another node has taken over, and the rest is done next time.
      const done = await this.#task.run(times, async () => {
        await giveWay()
        return !this.#stopped && (await claim.hold())
      })
      if (this.#stopped || done === false) return
      claim.setTo(now)
      this.#doneAt = now
      this.#doneHereAt = now
    } finally {
      await claim.release()
    }
  }

  // All checks use one claim, because a dead node is detected by a claim that has not moved since the last check.
  #claimOfTask(): ConsumerClaim {
    const { prefix, holder, monotonic, elapsed } = this.#options
    const name = this.#task.name
    this.#claim ??= new ConsumerClaim(this.#store, { prefix, name, holder: holder(), from: 'start', monotonic, elapsed })
    return this.#claim
  }

  async #lastDone(): Promise<number> {
    const consumers = await this.#store.consumers(this.#options.prefix)
    return consumers.find(({ name }) => name === this.#task.name)?.position ?? 0
  }

  // An instant far in the future was written by a wrong clock; while the local clock is invalid, nothing is due.
  #isDue(now: number): boolean {
    return isInstant(now) && Math.abs(now - this.#doneAt) >= this.#task.everyMs
  }

  // The last run must be in the past. If it is not, one of the two clocks is wrong, and it is unknown which.
  #tellOfClocks(since: number, now: number): void {
    const ahead = since - now
    if (ahead < this.#task.everyMs || since === this.#doneHereAt) return
    const minutes = Math.round(ahead / 60_000)
    const message = `the clock of another node is ${minutes} minutes ahead of this node's: until the clocks agree, expired data may be kept longer`
    this.#options.report('clock', new StoreUnavailableError(message))
  }

  async #sureInstant(since: number, now: number): Promise<number> {
    const own = await this.#sureHere(since, now)
    const there = this.#task.removes === true && own > 0 ? await this.#options.serverTime() : undefined
    if (there === undefined || own <= there) return own
    const minutes = Math.round((own - there) / 60_000)
    if (minutes > 0) {
      const message = `the clock of this node is ${minutes} minute${minutes === 1 ? '' : 's'} ahead of the database's: only data that is too old by both clocks is removed`
      this.#options.report('clock', new StoreUnavailableError(message))
    }
    return Math.floor(there)
  }

  async #sureHere(since: number, now: number): Promise<number> {
    if (since === this.#doneHereAt && (await this.#options.isAlone())) return now
    return since > now ? 0 : since
  }

  #schedule(ms: number): void {
    if (this.#stopped) return
    this.#timer = this.#options.background.timer(() => {
      this.#working = this.#lookIfDue()
        // The next check retries.
        .catch((error: unknown) => this.#options.report(this.#task.place, error))
        .then(() => this.#schedule(LOOK_EVERY_MS))
    }, ms)
  }

  // Timers do not count time in which the machine sleeps, or clock adjustments, so the clock is checked often, and the store only when due.
  async #lookIfDue(): Promise<void> {
    const now = this.#options.clock()
    if (this.#isDue(now) || Math.abs(now - this.#askedAt) >= RECHECK_MS) await this.look()
  }
}
