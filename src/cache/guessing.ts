import { ownFields } from '../model/own-fields.js'
import type { Known, Presenter } from '../model/presenter.js'
import { callerOf, siteOf } from '../policy/network.js'
import { Budget } from './budget.js'
import { CallerBudget } from './caller-budget.js'
import { type Origin, SITE_FACTOR, UNKNOWN_FACTOR } from './lookup-shares.js'

/**
 * Limits how many store reads an address may cause with forged tokens: IDs that do not exist, and wrong secrets of known IDs.
 *
 * Only reads that found no valid token are charged, so valid tokens cost nothing. An address that has used up its budget causes no reads until the budget
 * refills. Its uncached tokens are then neither accepted nor refused, because they may be valid. Callers with an unknown address share a larger budget, and
 * so do the addresses of an IPv6 site.
 */
export class GuessingBudget {
  readonly #known: Budget
  readonly #site: Budget
  readonly #unknown: Budget

  constructor(monotonic: () => number) {
    // The largest debt that an address can run up with lookups that were admitted before the first of them was answered.
    const debt = 2500
    this.#known = new Budget({ burst: 500, perSecond: 500, debt }, monotonic)
    // The burst is more than one address can overdraw, so no address uses up the budget of its site alone.
    this.#site = new Budget({ burst: 5000, perSecond: 500 * SITE_FACTOR, debt: debt * SITE_FACTOR }, monotonic)
    this.#unknown = new Budget({ burst: 5000, perSecond: 5000, debt: debt * UNKNOWN_FACTOR }, monotonic)
  }

  /** Returns whether the budget of this address is used up. */
  spent(ip: string | undefined): boolean {
    const from = namesOf(ip)
    if (from.shared) return this.#unknown.spent('')
    const { limitedSite: site } = from
    return this.#known.spent(from.caller) || (site !== undefined && this.#site.spent(site))
  }

  /** Charges one forged token. */
  spend(ip: string | undefined): void {
    const from = namesOf(ip)
    const { limitedSite: site } = from
    if (site !== undefined) this.#site.spend(site)
    if (from.shared) this.#unknown.spend('')
    else this.#known.spend(from.caller)
  }
}

/** The keys by which a presenter is queued and limited. */
export type Named = Origin & {
  /** Many users may present credentials under this name: the address is unknown, or a client or an actor presents those of its users. */
  readonly shared: boolean
  /** The credential comes from a signed report. */
  readonly signed: boolean
  /** The key of a caller that the host has identified, regardless of the group that the call belongs to. */
  readonly name: string | undefined
  /** The tenants in which the caller acts, unless it belongs to none in particular. */
  readonly tenants: readonly string[]
  /** The caller is the application itself, which stands for any number of callers. */
  readonly unlimited: boolean
}

/** Returns the keys of a presenter. */
export function namesOf(from: Presenter): Named {
  // A callback for addresses may also return null.
  if (typeof from === 'object' && from !== null) {
    const { id, group, signed = false, unlimited = false } = ownFields(from)
    // No address begins with a bracket or a brace.
    const name = JSON.stringify([id])
    const common = { name, shared: true, signed, unlimited }
    if (group === undefined) return { ...common, tenants: [], caller: name, site: name, limitedSite: undefined }
    const site = siteOfGroup(group)
    const tenants = group === 'tokens' ? [] : group
    return { ...common, tenants, caller: JSON.stringify({ group, id }), site, limitedSite: site }
  }
  const caller = callerOf(from)
  const site = siteOf(from) ?? ''
  const isIpv6 = site.includes(':')
  return {
    caller: caller ?? '',
    site,
    limitedSite: isIpv6 ? site : undefined,
    shared: caller === undefined,
    name: undefined,
    tenants: [],
    signed: false,
    unlimited: false,
  }
}

/** Returns the key of a group. */
export function siteOfGroup(group: NonNullable<Known['group']>): string {
  return JSON.stringify({ group })
}

/**
 * Limits the wrong secrets that a caller may present for tokens with slow hashes.
 *
 * Each pair of a caller and a token has its own budget. Guesses at one token therefore do not block the first use of other tokens that the same service
 * presents. A larger budget limits all comparisons of a caller together, because each takes a lot of CPU time. The addresses of an IPv6 site share larger
 * budgets.
 *
 * Secrets in signed reports are not limited. Otherwise, the finder of a leaked token could publish wrong secrets with it until the token itself is no
 * longer checked.
 */
export class SecretGuesses {
  readonly #ofToken: CallerBudget
  readonly #ofAddress: CallerBudget
  readonly #ofShared: CallerBudget

  constructor(monotonic: () => number) {
    this.#ofToken = new CallerBudget({ burst: 20, perSecond: 1 }, monotonic)
    this.#ofAddress = new CallerBudget({ burst: 200, perSecond: 10 }, monotonic)
    this.#ofShared = new CallerBudget({ burst: 2000, perSecond: 100 }, monotonic)
  }

  /** Returns whether this caller has used up its attempts to present a secret for this token. */
  spent(named: Named, token: string): boolean {
    return this.#ofToken.spent(named, token) || this.#ofCaller(named).spent(named)
  }

  /** Charges a credential that did not prove this token, whether or not the token exists. */
  spend(named: Named, token: string): void {
    if (!named.signed) this.#ofToken.spend(named, token)
  }

  /** Refunds one charge that `spend` made. */
  refund(named: Named, token: string): void {
    this.#ofToken.refund(named, token)
  }

  /** Charges a comparison with a slow hash that did not match. */
  spendComparison(named: Named): void {
    if (!named.signed) this.#ofCaller(named).spend(named)
  }

  #ofCaller({ shared }: Named): CallerBudget {
    return shared ? this.#ofShared : this.#ofAddress
  }
}
