import type { Entry } from '../cache/entry.js'
import type { Owned } from '../cache/owners.js'
import type { Context } from './context.js'
import { intersectResources, scopesInForce } from './permissions.js'
import { TokenPrincipal } from './principal.js'

/** The principal of a token with these permissions of its owner; `undefined`: nothing but its own record limits it. */
export function principalOf({ settings, signalOf }: Context, entry: Entry, owned: Owned | undefined): TokenPrincipal {
  const { scopes, optional } = entry
  if (owned === undefined) return new TokenPrincipal(entry, scopes, optional?.resources, signalOf)
  const granted = scopesInForce(settings.catalogue, { scopes, inherit: optional?.inherit === true }, owned)
  return new TokenPrincipal(entry, granted, intersectResources(optional?.resources, owned.resources), signalOf)
}
