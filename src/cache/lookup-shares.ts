/** The budget that all callers with an unknown address share, as a multiple of the budget of one address. */
export const UNKNOWN_FACTOR = 10
/** The budget that an IPv6 site shares, as a multiple of the budget of one address. A customer with a /48 has 65,536 blocks that each count as an address. */
export const SITE_FACTOR = 4

const PART = 1 / 4

/** The keys of the caller that causes a lookup. */
export type Origin = {
  /** The address block, or a caller that the host has identified; `''` if unknown. */
  readonly caller: string
  /** The network or group that the caller belongs to, or the caller itself. */
  readonly site: string
  /** The site, if its callers also share a limit: the /48 of an IPv6 address, or the actors of a tenant. A /24 of IPv4 belongs to many customers. */
  readonly limitedSite: string | undefined
}

/** Counts by key. Keys with a count of zero are not kept. */
export class Counts {
  readonly #counts: Map<string, number> = new Map()

  /** The number of keys. */
  get size(): number {
    return this.#counts.size
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1)
  }

  remove(key: string): void {
    const count = this.of(key)
    if (count > 1) this.#counts.set(key, count - 1)
    else this.#counts.delete(key)
  }
}

/** Returns whether a party that holds this many places in a queue has used up its share, given this many free places. */
export function isShareUsedUp(taken: number, factor: number, free: number): boolean {
  return taken >= free * PART * factor
}

/**
 * Counts the lookups of each caller and IPv6 site that are waiting or under way, so that no caller fills a whole queue.
 *
 * A caller may have a quarter as many lookups as there are free places. The fuller the queue, the fewer each caller may have, so that some room is always left
 * for others.
 */
export class LookupShares {
  readonly #counts: Counts = new Counts()

  /** Returns whether this caller has used up its share of the queue, given this many free places. */
  isUsedUp(from: Origin, free: number): boolean {
    const { caller, limitedSite: site } = from
    if (site !== undefined && isShareUsedUp(this.#counts.of(site), SITE_FACTOR, free)) return true
    return isShareUsedUp(this.#counts.of(caller), caller === '' ? UNKNOWN_FACTOR : 1, free)
  }

  // A caller never has the same key as its limited site: their networks differ in length.
  add({ caller, limitedSite }: Origin): void {
    this.#counts.add(caller)
    if (limitedSite !== undefined) this.#counts.add(limitedSite)
  }

  remove({ caller, limitedSite }: Origin): void {
    this.#counts.remove(caller)
    if (limitedSite !== undefined) this.#counts.remove(limitedSite)
  }
}
