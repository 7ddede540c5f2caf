import { StoreUnavailableError } from '../errors.js'
import { isInstant } from '../policy/instant.js'
import type { FaultPlace } from '../store/fault-places.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'
import { ConsumerClaim } from './consumer-claim.js'

const FIRST_LOOK_MS = 5_000
/** How soon at the soonest: a node that was about to do the task may have crashed. */
const LOOK_EVERY_MS = 10_000
/** How often at least the store is asked when a task was last done: another node whose clock is wrong must not stay the last one to say so. */
const RECHECK_MS = 1_200_000

/** Work that one node of a cluster does for all of them, now and then. */
export type UpkeepTask = {
  /** No consumer of a host has such a name: theirs begin with a letter or a digit. */
  readonly name: `.${string}`
  /** Where its faults are. */
  readonly place: FaultPlace
  readonly everyMs: number
  /** The answer `false`: it was not done. */
  readonly run: (times: UpkeepTimes, goOn: () => Promise<boolean>) => Promise<unknown>
}

/** The instants of one turn of a task. */
export type UpkeepTimes = {
  /** By the clock of this node, which may be wrong. */
  readonly now: number
  /** When the task was last done, by whichever node; 0 before the first time. */
  readonly since: number
  /**
   * The instant by which things may be removed. A node that is alone, and was the last one to do the task, goes by its clock. Any other goes by the last
   * time, however far its own clock says it is; by no instant at all, 0, where that lies ahead. While one node of a cluster has the right time, it moves
   * the last time back to it, so that no clock that is wrong removes what is still good.
   */
  readonly sure: number
}

type UpkeepOptions = {
  readonly prefix: string
  readonly holder: () => string
  readonly clock: () => number
  readonly monotonic: () => number
  readonly report: Report
  /** Is no other node known? */
  readonly isAlone: () => Promise<boolean>
  readonly background: Background
}

/** Does a task in time: begun after the store's first use, off every request's path, and never keeping the process alive. */
export class Upkeep {
  readonly #store: GuardedStore
  readonly #task: UpkeepTask
  readonly #options: UpkeepOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  #working: Promise<void> | undefined
  #claim: ConsumerClaim | undefined
  /** As far as this node knows. */
  #doneAt = 0
  #askedAt = Number.NEGATIVE_INFINITY
  /** The last time that it was done, if that was here. */
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

  /** Resolves when a batch that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#working
  }

  /** Does the task where it is due and no other node does it. */
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
      // Asked between small batches: when it answers no, another node has taken over, and what is left is done the next time.
      const done = await this.#task.run(times, async () => !this.#stopped && (await claim.hold()))
      if (this.#stopped || done === false) return
      claim.setTo(now)
      this.#doneAt = now
      this.#doneHereAt = now
    } finally {
      await claim.release()
    }
  }

  // One for all looks: that another node stands still since the last one is how its claim is known to be that of a dead one.
  #claimOfTask(): ConsumerClaim {
    const { prefix, holder, monotonic } = this.#options
    this.#claim ??= new ConsumerClaim(this.#store, { prefix, name: this.#task.name, holder: holder(), from: 'start', monotonic })
    return this.#claim
  }

  async #lastDone(): Promise<number> {
    const consumers = await this.#store.consumers(this.#options.prefix)
    return consumers.find(({ name }) => name === this.#task.name)?.position ?? 0
  }

  // An instant far ahead was written by a clock that was wrong; nothing is due by a clock that does not tell the time.
  #isDue(now: number): boolean {
    return isInstant(now) && Math.abs(now - this.#doneAt) >= this.#task.everyMs
  }

  // What was done was done before now: one of the two clocks is wrong, and nobody can know which.
  #tellOfClocks(since: number, now: number): void {
    const ahead = since - now
    if (ahead < this.#task.everyMs || since === this.#doneHereAt) return
    const minutes = Math.round(ahead / 60_000)
    const message = `the clock of another node is ${minutes} minutes ahead of this one's: what is too old may be kept until they agree`
    this.#options.report('clock', new StoreUnavailableError(message))
  }

  async #sureInstant(since: number, now: number): Promise<number> {
    if (since === this.#doneHereAt && (await this.#options.isAlone())) return now
    return since > now ? 0 : since
  }

  #schedule(ms: number): void {
    if (this.#stopped) return
    this.#timer = this.#options.background.timer(() => {
      this.#working = this.#lookIfDue()
        // The next look tries again.
        .catch((error: unknown) => this.#options.report(this.#task.place, error))
        .then(() => this.#schedule(LOOK_EVERY_MS))
    }, ms)
  }

  // Timers do not count the time in which the machine sleeps, or by which its clock is set: the clock is asked often, the store when it is time.
  async #lookIfDue(): Promise<void> {
    const now = this.#options.clock()
    if (this.#isDue(now) || Math.abs(now - this.#askedAt) >= RECHECK_MS) await this.look()
  }
}
