import type { Definitions } from './definitions.js'
import { expand, flatten } from './expand.js'
import { readDefinitions } from './read-definitions.js'
import { coversGrant, isScopeName } from './scope.js'
import { intersect, NO_SCOPES, type ScopeSet } from './scope-set.js'
import { tellOfSlips, whyNotGrantable } from './why-not-grantable.js'

export type { ScopeSet } from './scope-set.js'

/** The scopes that exist, and what grants mean in them. */
export type Catalogue = {
  /** Every scope, in the order of the options. */
  readonly names: readonly string[]
  /**
   * Expands the current permissions of a token with these grants: plain names in the order given, wildcards and groups in the order of the catalogue, then what
   * those imply. A name that does not exist (any more) gives nothing. Equal grants get the same object.
   */
  resolve(grants: readonly string[]): ScopeSet
  /** The same for scopes that the host gave: of one that was most likely misspelled, the developer is told where. */
  resolveFrom(where: string, grants: readonly string[]): ScopeSet
  /** The intersection of two sets, in the order of the first. */
  intersect(a: ScopeSet, b: ScopeSet): ScopeSet
  /** Why this cannot be given to a token, for people; `undefined` when it can. */
  whyNotGrantable(grant: unknown): string | undefined
  /**
   * The first of the wanted grants that someone with `actorGrants` may not hand out; `undefined` when all may be.
   *
   * A grant that stands in `kept` already is fine. Others must lie within the actor's own, now and in whatever the catalogue and the groups
   * become: who holds `inventory:read` cannot give `inventory:*`, also where that is all there is today, and a group can be given by who holds
   * that group or `*`.
   */
  grantable(actorGrants: readonly string[], wanted: readonly string[], kept: readonly string[]): string | undefined
  /** Those among these grants that give a scope; without a list, those among all that a token can be given, the narrowest first. */
  givers(scope: string, grants?: readonly string[]): readonly string[]
}

/** Input of `compileCatalogue`: the options of the same names. */
export type CatalogueOptions = {
  readonly scopes: unknown
  readonly groups?: unknown
  readonly implies?: unknown
  readonly allowWildcard?: unknown
}

/** Sets of scopes that are kept, and how many grants one may have to be: together they bound the memory. */
const MAX_KEPT = 1000
const MAX_KEPT_GRANTS = 64

/**
 * Checks the scopes, groups and implications of the options, and answers what can be asked of them.
 *
 * @throws InvalidInputError (`invalid_input`) that names the entry: `scopes.inventory:Read`, `groups.staff.0`.
 */
export function compileCatalogue(options: CatalogueOptions): Catalogue {
  const definitions = readDefinitions(options)
  const kept = new Map<string, ScopeSet>()

  function resolve(grants: readonly string[]): ScopeSet {
    const clean = textsOf(grants)
    if (clean.length === 0) return NO_SCOPES
    if (clean.length > MAX_KEPT_GRANTS) return expand(definitions, clean)
    const key = JSON.stringify(clean)
    let set = kept.get(key)
    if (set === undefined) {
      set = expand(definitions, clean)
      if (kept.size >= MAX_KEPT) dropOldest(kept)
      kept.set(key, set)
    }
    return set
  }

  return Object.freeze({
    names: definitions.names,
    resolve,
    resolveFrom(where: string, grants: readonly string[]): ScopeSet {
      tellOfSlips(definitions, where, textsOf(grants))
      return resolve(grants)
    },
    intersect,
    whyNotGrantable: (grant: unknown) => whyNotGrantable(definitions, grant),
    givers(scope: string, grants?: readonly string[]): readonly string[] {
      // Past the sets that are kept: looking at everything once must not push out what tokens have in common.
      return (grants === undefined ? candidates(definitions, scope) : textsOf(grants)).filter((grant) =>
        expand(definitions, [grant]).has(scope),
      )
    },
    grantable(actorGrants: readonly string[], wanted: readonly string[], keptGrants: readonly string[]): string | undefined {
      const held = resolve(actorGrants)
      const patterns = flatten(definitions, textsOf(actorGrants))
      const beyond = wanted.find((grant) => {
        if (keptGrants.includes(grant)) return false
        if (whyNotGrantable(definitions, grant) !== undefined) return true
        if (isScopeName(grant)) return !held.has(grant)
        return !patterns.some((pattern) => coversGrant(pattern, grant))
      })
      // Only now: an actor may have permissions of the host's own among its scopes.
      if (beyond !== undefined) tellOfSlips(definitions, 'the scopes of an actor', textsOf(actorGrants))
      return beyond
    },
  })
}

function candidates({ names, groups, allowWildcard }: Definitions, scope: string): readonly string[] {
  const segments = scope.split(':')
  const wildcards = segments.slice(1).map((_, at) => `${segments.slice(0, segments.length - 1 - at).join(':')}:*`)
  return [...new Set([scope, ...names]), ...[...groups.keys()].map((name) => `@${name}`), ...wildcards, ...(allowWildcard ? ['*'] : [])]
}

/** Only text counts as a grant, whatever a store answered. */
function textsOf(grants: unknown): readonly string[] {
  return Array.isArray(grants) ? grants.filter((grant: unknown): grant is string => typeof grant === 'string') : []
}

/** A Map is walked in order of insertion. Sets that are in use live on with who holds them. */
function dropOldest(kept: Map<string, ScopeSet>): void {
  for (const key of kept.keys()) {
    kept.delete(key)
    return
  }
}
