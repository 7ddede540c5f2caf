import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'

/** The work that is done off the request's path: writing counts and coalesced events, and placing what hosts committed. */
export type Chores = {
  readonly flush: () => Promise<void>
  /** Is there anything left to flush? */
  readonly pending: () => boolean
  readonly sweep: () => Promise<void>
}

const SWEEP_EVERY_MS = 60_000

/** Runs the chores in time: a flush soon after something is there to write, a sweep every minute. Never keeps the process alive. */
export class Housekeeping {
  readonly #chores: Chores
  readonly #flushMs: number
  readonly #report: Report
  readonly #background: Background
  #flushTimer: ReturnType<typeof setTimeout> | undefined
  #sweepTimer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(chores: Chores, flushMs: number, report: Report, background: Background) {
    this.#chores = chores
    this.#flushMs = flushMs
    this.#report = report
    this.#background = background
  }

  /** There is something to write. Cheap: one comparison when a flush is on its way. */
  scheduleFlush(): void {
    if (this.#flushTimer !== undefined || this.#stopped) return
    this.#flushTimer = this.#background.timer(() => void this.#flush(), this.#flushMs)
    this.start()
  }

  /** Begins to sweep, if it has not begun yet. */
  start(): void {
    if (this.#sweepTimer === undefined) this.#scheduleSweep()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#flushTimer)
    clearTimeout(this.#sweepTimer)
  }

  async #flush(): Promise<void> {
    try {
      await this.#chores.flush()
    } catch (error) {
      // What could not be written is kept, and the next flush tries again.
      this.#report('flush', error)
    }
    this.#flushTimer = undefined
    if (this.#chores.pending()) this.scheduleFlush()
  }

  #scheduleSweep(): void {
    if (this.#stopped) return
    this.#sweepTimer = this.#background.timer(() => void this.#sweep(), SWEEP_EVERY_MS)
  }

  async #sweep(): Promise<void> {
    try {
      await this.#chores.sweep()
    } catch (error) {
      // The next sweep places the same events.
      this.#report('placing', error)
    }
    this.#scheduleSweep()
  }
}
