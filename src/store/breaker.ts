import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { DeadlineError, isThenable } from './deadline.js'

/** Reads that must hang in a row before the store counts as dead. */
const HUNG_IN_A_ROW = 3
/** How often a dead store is tried. */
const PROBE_EVERY_MS = 250

/**
 * Keeps a hanging store from hanging everyone: while it is known dead, reads are refused at once and one probe at a time tries again.
 *
 * Only reads that hang count. A store that fails fast is already answering at once, and is asked again each time.
 */
export class Breaker {
  readonly #monotonic: () => number
  #hung = 0
  #nextProbeAt = 0

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  run<T>(read: () => MaybePromise<T>): MaybePromise<T> {
    if (this.#hung >= HUNG_IN_A_ROW) {
      const now = this.#monotonic()
      if (now < this.#nextProbeAt)
        throw new StoreUnavailableError('the store has stopped answering; it is tried again several times a second')
      this.#nextProbeAt = now + PROBE_EVERY_MS
    }
    const answer = read()
    if (!isThenable(answer)) {
      this.#hung = 0
      return answer
    }
    return (answer as Promise<T>).then(
      (value) => {
        this.#hung = 0
        return value
      },
      (error: unknown) => {
        this.#hung = error instanceof DeadlineError ? this.#hung + 1 : 0
        throw error
      },
    )
  }
}
