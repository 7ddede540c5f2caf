import type { MaybePromise } from '../model/json.js'
import type { Timing } from '../store/deadline.js'
import { startTimer } from '../store/timer.js'

/** Work with less time left would only be abandoned: when work that hangs reaches its deadline, so does all that began to wait in the same instant. */
const LEAST_LEFT_MS = 5
/** The weight of the last duration in the average. */
const WEIGHT = 1 / 4

/** Settings of `LimitedWork`. */
type Limits = Timing & {
  /**
   * How long work that does not settle keeps its place. Calls to a store keep it for one deadline: then the store's adapter has given up as well, and its pool
   * limits what goes on. Work that uses the CPU until it settles must keep it much longer: more of it would only slow down all of it.
   *
   * @default the deadline
   */
  readonly holdMs?: number
}

/**
 * A limited number of places for work that a caller may abandon at its deadline.
 *
 * Work holds its place until it settles, even if its caller is gone: otherwise, an overload would start more and more work for nobody. Work that hangs holds it
 * for `holdMs`.
 */
export class LimitedWork {
  readonly #most: number
  readonly #holdMs: number
  readonly #monotonic: () => number
  #taken = 0
  /** How long work has taken lately. */
  #tookMs = 0

  constructor(most: number, { deadlineMs, monotonic, holdMs = deadlineMs }: Limits) {
    this.#most = most
    this.#holdMs = holdMs
    this.#monotonic = monotonic
  }

  get isFull(): boolean {
    return this.#taken >= this.#most
  }

  /** Returns whether work that is due then would most likely finish in time if it began now. */
  isInTime(dueAt: number): boolean {
    return dueAt - this.#monotonic() > Math.max(LEAST_LEFT_MS, this.#tookMs)
  }

  /** Runs work in a place. `free` is called once the place is free again, with `true` if the work has not settled. */
  run<T>(work: () => MaybePromise<T>, free: (hangs: boolean) => void): Promise<T> {
    const began = this.#monotonic()
    this.#taken += 1
    let holds = true
    const leave = (hangs: boolean): void => {
      if (!holds) return
      holds = false
      clearTimeout(timer)
      this.#taken -= 1
      this.#tookMs += (this.#monotonic() - began - this.#tookMs) * WEIGHT
      free(hangs)
    }
    const timer = startTimer(() => leave(true), this.#holdMs)
    const result = new Promise<T>((resolve) => resolve(work()))
    const settled = (): void => leave(false)
    result.then(settled, settled)
    return result
  }
}
