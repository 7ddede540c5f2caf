import { isInstant } from '../policy/instant.js'

/** Dates what is to be kept: a store that cannot keep an instant would refuse it again and again, and everything behind it. */
export class Dates {
  #last: number | undefined

  /** The instant that the clock tells, or while it tells none the last one that it told; `undefined` where it never told one. */
  of(now: number): number | undefined {
    if (isInstant(now)) this.#last = now
    return this.#last
  }
}
