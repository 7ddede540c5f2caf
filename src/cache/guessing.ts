import { Budget } from './budget.js'

/**
 * How many tokens that do not exist an address may make the store look for.
 *
 * Only answers "there is no such token" are charged, so good tokens cost nothing; an address that has used up its budget
 * is refused without a store call until it refills. Callers whose address is not known share a larger one.
 */
export class GuessingBudget {
  readonly #known: Budget
  readonly #unknown: Budget

  constructor(monotonic: () => number) {
    this.#known = new Budget({ burst: 500, perSecond: 100 }, monotonic)
    this.#unknown = new Budget({ burst: 5000, perSecond: 1000 }, monotonic)
  }

  /** Is the budget of this address used up now? */
  spent(ip: string | undefined): boolean {
    return this.#of(ip).spent(ip ?? '')
  }

  /** Charges one unknown token. */
  spend(ip: string | undefined): void {
    this.#of(ip).spend(ip ?? '')
  }

  #of(ip: string | undefined): Budget {
    return ip === undefined ? this.#unknown : this.#known
  }
}
