import type { RelayClock } from './clock.js'

/** Does work at most once in each gap: what is asked for meanwhile is done together, in the next turn. */
export class Lane {
  readonly #clock: RelayClock
  readonly #gapMs: number
  readonly #collectMs: number
  readonly #work: () => void
  #last = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | undefined

  /** Waits `collectMs` for others that ask, also where it has been idle. */
  constructor(clock: RelayClock, gapMs: number, collectMs: number, work: () => void) {
    this.#clock = clock
    this.#gapMs = gapMs
    this.#collectMs = collectMs
    this.#work = work
  }

  request(): void {
    if (this.#cancel !== undefined) return
    const wait = Math.max(this.#collectMs, this.#last + this.#gapMs - this.#clock.now())
    this.#cancel = this.#clock.after(wait, () => {
      this.#cancel = undefined
      this.#last = this.#clock.now()
      this.#work()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
