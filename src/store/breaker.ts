import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import { DeadlineError, isThenable } from './deadline.js'

/** How many reads must hang in a row before the store counts as down. */
const HUNG_IN_A_ROW = 3
/** How often a store that is down is probed. */
const PROBE_EVERY_MS = 250

/**
 * Keeps a hanging store from blocking every request: while the store is known to be down, reads fail immediately, except for a probe several times a second.
 *
 * Only reads that hang count. A store that fails fast blocks no request, so every read is still sent to it.
 */
export class Breaker {
  readonly #monotonic: () => number
  readonly #refused: (error: unknown) => void
  #hung = 0
  #nextProbeAt = 0
  #begun = 0
  /** The latest read that the store answered. Timeouts of reads that began earlier are outdated and do not count. */
  #answered = 0

  /** `refused` is called for every read that was refused without being sent. */
  constructor(monotonic: () => number, refused: (error: unknown) => void) {
    this.#monotonic = monotonic
    this.#refused = refused
  }

  /** Whether reads are currently refused, except for probes. */
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
