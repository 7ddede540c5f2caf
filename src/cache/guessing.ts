import { callerOf } from '../policy/network.js'
import { Budget } from './budget.js'

/**
 * Limits how many store reads an address may cause with forged tokens: IDs that do not exist, and wrong secrets of known IDs.
 *
 * Only reads that found no valid token are charged, so valid tokens cost nothing. An address that has used up its budget causes no reads until the budget
 * refills. Its uncached tokens are then neither accepted nor refused, because they may be valid. Callers with an unknown address share a larger budget.
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
