import type { Owned } from '../cache/owners.js'
import type { Resources } from '../model/json.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { membershipIn } from '../policy/membership.js'

/** The permissions that a token's own record grants. */
export type OwnGrants = { readonly scopes: ScopeSet; readonly inherit: boolean }

/** Returns the scopes in force: the token's own, limited to its owner's; or its owner's, if it inherits them. */
export function scopesInForce(catalogue: Catalogue, own: OwnGrants, owned: Owned | undefined): ScopeSet {
  if (owned === undefined) return own.scopes
  return own.inherit ? owned.scopes : catalogue.intersect(own.scopes, owned.scopes)
}

/** Returns the resources that both allow. A dimension that only one of them limits keeps that limit. */
export function intersectResources(a: Resources | undefined, b: Resources | undefined): Resources | undefined {
  if (a === undefined || a === b) return b
  if (b === undefined) return a
  const dimensions = new Set([...Object.keys(a), ...Object.keys(b)])
  const cut = [...dimensions].map((dimension) => [dimension, both(valuesOf(a, dimension), valuesOf(b, dimension))] as const)
  // Frozen, because a principal exposes this object and decides by it.
  return Object.freeze(Object.fromEntries(cut))
}

function valuesOf(resources: Resources, dimension: string): readonly string[] | undefined {
  return Object.hasOwn(resources, dimension) ? resources[dimension] : undefined
}

function both(a: readonly string[] | undefined, b: readonly string[] | undefined): readonly string[] {
  if (a === undefined || b === undefined) return a ?? b ?? []
  return Object.freeze(a.filter(membershipIn(b, a.length)))
}
