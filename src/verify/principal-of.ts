import type { Entry } from '../cache/entry.js'
import type { Owned } from '../cache/owners.js'
import type { Context } from './context.js'
import { intersectResources, scopesInForce } from './permissions.js'
import { TokenPrincipal } from './principal.js'

/** Creates the principal of a token. `owned`: the permissions of its owner; `undefined` if only its own record limits it. */
export function principalOf({ settings, signalOf }: Context, entry: Entry, owned: Owned | undefined): TokenPrincipal {
  const { parts } = entry
  if (owned === undefined) return new TokenPrincipal(entry, parts.scopes, parts.resources, signalOf)
  const granted = scopesInForce(settings.catalogue, parts, owned)
  return new TokenPrincipal(entry, granted, intersectResources(parts.resources, owned.resources), signalOf)
}
