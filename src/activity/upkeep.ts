import { isInstant } from '../policy/instant.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { FaultPlace, Report } from '../store/reporter.js'
import { startTimer } from '../store/timer.js'
import { ConsumerClaim } from './consumer-claim.js'

const FIRST_LOOK_MS = 5_000
/** How soon at the soonest: a node that was about to do the task may have crashed. */
const LOOK_EVERY_MS = 10_000

/** Work that one node of a cluster does for all of them, now and then. */
export type UpkeepTask = {
  /** No consumer of a host has such a name: theirs begin with a letter or a digit. */
  readonly name: `.${string}`
  /** Where its faults are. */
  readonly place: FaultPlace
  readonly everyMs: number
  /**
   * `goOn` is asked between small batches: when it answers no, another node has taken over, and what is left is done the next time. `since` is the
   * instant of the last time that it was done, whichever node did it; 0 before the first time. The answer `false`: it was not done.
   */
  readonly run: (now: number, goOn: () => Promise<boolean>, since: number) => Promise<unknown>
}

type UpkeepOptions = {
  readonly prefix: string
  readonly holder: () => string
  readonly clock: () => number
  readonly monotonic: () => number
  readonly report: Report
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
    if (!this.#isDue(clock())) return
    const claim = this.#claimOfTask()
    if (!(await claim.hold())) return
    this.#doneAt = claim.position
    const now = Math.floor(clock())
    if (!this.#isDue(now)) return
    try {
      const done = await this.#task.run(now, async () => !this.#stopped && (await claim.hold()), claim.position)
      if (this.#stopped || done === false) return
      claim.setTo(now)
      this.#doneAt = now
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

  #schedule(ms: number): void {
    if (this.#stopped) return
    this.#timer = startTimer(() => {
      this.#working = this.#lookIfDue()
        // The next look tries again.
        .catch((error: unknown) => this.#options.report(this.#task.place, error))
        .then(() => this.#schedule(LOOK_EVERY_MS))
    }, ms)
  }

  // Timers do not count the time in which the machine sleeps, or by which its clock is set: the clock is asked often, the store when it is time.
  async #lookIfDue(): Promise<void> {
    if (this.#isDue(this.#options.clock())) await this.look()
  }
}
