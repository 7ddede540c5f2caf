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
  readonly #refused: (error: unknown) => void
  #hung = 0
  #nextProbeAt = 0
  #begun = 0
  /** The latest read that the store answered: what hung since before it says nothing of the store as it is now. */
  #answered = 0

  /** `refused` hears of every read that was not even tried. */
  constructor(monotonic: () => number, refused: (error: unknown) => void) {
    this.#monotonic = monotonic
    this.#refused = refused
  }

  /** Are reads refused now, but for one probe at a time? */
  get isOpen(): boolean {
    return this.#hung >= HUNG_IN_A_ROW
  }

  run<T>(read: () => MaybePromise<T>): MaybePromise<T> {
    if (this.isOpen) {
      const now = this.#monotonic()
      if (now < this.#nextProbeAt) {
        const error = new StoreUnavailableError('the store has stopped answering; it is retried several times a second')
        this.#refused(error)
        throw error
      }
      this.#nextProbeAt = now + PROBE_EVERY_MS
    }
    this.#begun += 1
    const number = this.#begun
    const answer = read()
    if (!isThenable(answer)) {
      this.#heard(number)
      return answer
    }
    return (answer as Promise<T>).then(
      (value) => {
        this.#heard(number)
        return value
      },
      (error: unknown) => {
        if (!(error instanceof DeadlineError)) this.#heard(number)
        else if (number > this.#answered) this.#hung += 1
        throw error
      },
    )
  }

  #heard(number: number): void {
    this.#hung = 0
    this.#answered = Math.max(this.#answered, number)
  }
}
