/** The budget that all callers with an unknown address share, as a multiple of one address's. */
export const UNKNOWN_FACTOR = 10
/** The budget that an IPv6 site shares, as a multiple of one address's: a customer with a /48 has 65,536 blocks that each count as an address. */
export const SITE_FACTOR = 4

const PART = 1 / 4

/** The address block that a lookup comes from, `''` if it is unknown, and the network around it. */
export type Origin = { readonly caller: string; readonly site: string }

/**
 * Returns the network or group whose callers also have a limit together: the /48 of an IPv6 address, or the actors of a tenant. A /24 of IPv4 belongs to many
 * customers.
 */
export function limitedSite({ site, caller }: Origin): string | undefined {
  // Only networks of IPv6 contain a colon, and only groups a space. Whoever has neither is a site of its own.
  return site !== caller && /[: ]/.test(site) ? site : undefined
}

/**
 * Counts the lookups of each caller and IPv6 site that wait or are under way, so that none takes all places of a queue.
 *
 * A caller may have a quarter as many as there are free places. The fuller the queue, the fewer each may have, so that some room is always left for others.
 */
export class LookupShares {
  readonly #counts: Map<string, number> = new Map()

  /** Returns whether this caller may add no lookup while the queue has this many free places. */
  isUsedUp(from: Origin, free: number): boolean {
    const part = free * PART
    const site = limitedSite(from)
    if (site !== undefined && this.#count(site) >= part * SITE_FACTOR) return true
    return this.#count(from.caller) >= part * (from.caller === '' ? UNKNOWN_FACTOR : 1)
  }

  add(from: Origin): void {
    for (const key of keysOf(from)) this.#counts.set(key, this.#count(key) + 1)
  }

  remove(from: Origin): void {
    for (const key of keysOf(from)) {
      const count = this.#count(key)
      if (count > 1) this.#counts.set(key, count - 1)
      else this.#counts.delete(key)
    }
  }

  #count(key: string): number {
    return this.#counts.get(key) ?? 0
  }
}

// A caller and its site never have the same key: their networks differ in length.
function keysOf(from: Origin): readonly string[] {
  const site = limitedSite(from)
  return site === undefined ? [from.caller] : [from.caller, site]
}
