import type { MaybePromise } from '../model/json.js'
import { startTimer } from '../store/timer.js'

/**
 * A limited number of slots for work that a caller may abandon at its deadline.
 *
 * Work holds its slot until it settles, even if its caller is gone. Otherwise, an overload would start more and more work that no caller waits for. Work that
 * hangs holds it for `holdMs`.
 */
export class LimitedWork {
  readonly #most: number
  readonly #holdMs: number
  #taken = 0

  /**
   * `holdMs` is how long work that does not settle keeps its slot. Calls to a store keep it for one deadline, so that calls that hang do not
   * stop all other calls. Work that uses the CPU until it settles must keep its slot much longer, because starting more of it would slow
   * everything down.
   */
  constructor(most: number, holdMs: number) {
    this.#most = most
    this.#holdMs = holdMs
  }

  get isFull(): boolean {
    return this.#taken >= this.#most
  }

  /** Runs work in a slot. `free` is called once the slot is free again, with `true` if the work has not settled. */
  run<T>(work: () => MaybePromise<T>, free: (hangs: boolean) => void): Promise<T> {
    this.#taken += 1
    let holds = true
    const leave = (hangs: boolean): void => {
      if (!holds) return
      holds = false
      clearTimeout(timer)
      this.#taken -= 1
      free(hangs)
    }
    const timer = startTimer(() => leave(true), this.#holdMs)
    const result = new Promise<T>((resolve) => resolve(work()))
    const settled = (): void => leave(false)
    result.then(settled, settled)
    return result
  }
}
