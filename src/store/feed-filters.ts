import { ownFields } from '../model/own-fields.js'
import type { TokenFilter } from './port.js'

/** The maximum length of a filter in the feed, as JSON. Longer filters name hundreds of tenants, or thousands of tokens. */
export const LONGEST_FILTER = 16_000

/** Returns whether a filter is too long for the feed. */
export function isLong(filter: TokenFilter): boolean {
  return JSON.stringify(filter).length > LONGEST_FILTER
}

/** Returns a filter without its lists. It matches more tokens. */
export function withoutLists({ ids: _ids, tenantIds: _tenantIds, ...rest }: TokenFilter): TokenFilter {
  return ownFields(rest)
}

/**
 * Returns the filters to write to the feed after a change of all matching tokens, which are in these tenants. Nodes drop the tokens that match, so a filter
 * that is too long becomes several, one for each part of the tenants. Only a long list of tokens some of which have no tenant becomes a filter that matches
 * more tokens.
 */
export function feedFilters(filter: TokenFilter, tenants: readonly (string | undefined)[]): readonly TokenFilter[] {
  if (!isLong(filter)) return [filter]
  const rest = withoutLists(filter)
  const parts: string[][] = []
  let length = LONGEST_FILTER
  for (const tenantId of tenants) {
    if (tenantId === undefined) return [rest]
    const own = JSON.stringify(tenantId).length + 1
    if (length + own > LONGEST_FILTER) {
      parts.push([])
      length = 0
    }
    parts.at(-1)?.push(tenantId)
    length += own
  }
  return parts.map((tenantIds) => ownFields({ ...rest, tenantIds }))
}
