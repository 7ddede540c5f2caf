import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'

/** Work that is done off the request path: writing counts and coalesced events, and placing events that hosts committed. */
export type Chores = {
  readonly flush: () => Promise<void>
  /** Returns whether there is anything left to flush. */
  readonly pending: () => boolean
  readonly sweep: () => Promise<void>
}

const SWEEP_EVERY_MS = 60_000

/** Runs the chores on schedule: a flush soon after there is something to write, a sweep every minute. Never keeps the process alive. */
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

  /** Signals that there is something to write. Cheap: one comparison if a flush is already scheduled. */
  scheduleFlush(): void {
    if (this.#flushTimer !== undefined || this.#stopped) return
    this.#flushTimer = this.#background.timer(() => void this.#flush(), this.#flushMs)
    this.start()
  }

  /** Starts the sweeps, if not already started. */
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
      // Anything that could not be written is kept, and the next flush retries.
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
