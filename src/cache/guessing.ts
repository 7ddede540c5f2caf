import { callerOf } from '../policy/network.js'
import { Budget } from './budget.js'

/**
 * Limits how many forged tokens an address may make the store look up: ids that do not exist, and wrong secrets of known ids.
 *
 * Only what the store was asked for in vain is charged, so good tokens cost nothing; an address that has used up its budget
 * is not looked up for until it refills: nothing is decided then, for a token that is asked about may be good. Callers whose address is not
 * known share a larger one.
 */
export class GuessingBudget {
  readonly #known: Budget
  readonly #unknown: Budget

  constructor(monotonic: () => number) {
    this.#known = new Budget({ burst: 500, perSecond: 500 }, monotonic)
    this.#unknown = new Budget({ burst: 5000, perSecond: 5000 }, monotonic)
  }

  /** Returns whether the budget of this address is used up. */
  spent(ip: string | undefined): boolean {
    const caller = callerOf(ip)
    return caller === undefined ? this.#unknown.spent('') : this.#known.spent(caller)
  }

  /** Charges one forged token. */
  spend(ip: string | undefined): void {
    const caller = callerOf(ip)
    if (caller === undefined) this.#unknown.spend('')
    else this.#known.spend(caller)
  }
}
