import { Budget, type Rate } from './budget.js'
import { type Origin, SITE_FACTOR } from './lookup-shares.js'

/** A budget for each caller, and a larger one that all callers of an IPv6 site share. */
export class CallerBudget {
  readonly #caller: Budget
  readonly #site: Budget

  constructor({ burst, perSecond }: Omit<Rate, 'debt'>, monotonic?: () => number) {
    this.#caller = new Budget({ burst, perSecond }, monotonic)
    // One caller can overdraw its own budget by up to one burst, which stays within the budget of its site.
    this.#site = new Budget({ burst: burst * SITE_FACTOR, perSecond: perSecond * SITE_FACTOR }, monotonic)
  }

  /** Returns whether the budget of this caller or of its site is used up. A caller has a separate budget for each value of `about`. */
  spent(from: Origin, about: string = ''): boolean {
    const { limitedSite: site } = from
    return this.#caller.spent(keyOf(from.caller, about)) || (site !== undefined && this.#site.spent(keyOf(site, about)))
  }

  /** Charges one unit. */
  spend(from: Origin, about: string = ''): void {
    const { limitedSite: site } = from
    this.#caller.spend(keyOf(from.caller, about))
    if (site !== undefined) this.#site.spend(keyOf(site, about))
  }

  /** Refunds one charge. */
  refund(from: Origin, about: string = ''): void {
    const { limitedSite: site } = from
    this.#caller.refund(keyOf(from.caller, about))
    if (site !== undefined) this.#site.refund(keyOf(site, about))
  }
}

// `about` contains no space, so no two pairs have the same key.
function keyOf(name: string, about: string): string {
  return `${about} ${name}`
}
