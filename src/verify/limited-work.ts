import type { MaybePromise } from '../model/json.js'
import { startTimer } from '../store/timer.js'

/** Work with less time left would only be abandoned: when work that hangs reaches its deadline, so does all that began to wait in the same instant. */
const LEAST_LEFT_MS = 5
/** The weight of the last duration in the average. */
const WEIGHT = 1 / 4

/**
 * A limited number of places for work that a caller may abandon at its deadline.
 *
 * Work holds its place until it settles, even if its caller is gone: otherwise, an overload would start more and more work for nobody. Work that hangs holds it
 * for one whole deadline.
 */
export class LimitedWork {
  readonly #most: number
  readonly #deadlineMs: number
  readonly #monotonic: () => number
  #taken = 0
  /** How long work has taken lately. */
  #tookMs = 0

  constructor(most: number, { deadlineMs, monotonic }: { readonly deadlineMs: number; readonly monotonic: () => number }) {
    this.#most = most
    this.#deadlineMs = deadlineMs
    this.#monotonic = monotonic
  }

  get isFull(): boolean {
    return this.#taken >= this.#most
  }

  /** Returns whether work that is due then would most likely finish in time if it began now. */
  isInTime(dueAt: number): boolean {
    return dueAt - this.#monotonic() > Math.max(LEAST_LEFT_MS, this.#tookMs)
  }

  /** Runs work in a place. `free` is called once the place is free again. */
  run<T>(work: () => MaybePromise<T>, free: () => void): Promise<T> {
    const began = this.#monotonic()
    this.#taken += 1
    let holds = true
    const leave = (): void => {
      if (!holds) return
      holds = false
      clearTimeout(timer)
      this.#taken -= 1
      this.#tookMs += (this.#monotonic() - began - this.#tookMs) * WEIGHT
      free()
    }
    const timer = startTimer(leave, this.#deadlineMs)
    const result = new Promise<T>((resolve) => resolve(work()))
    result.then(leave, leave)
    return result
  }
}
