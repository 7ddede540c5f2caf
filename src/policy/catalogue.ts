import type { Definitions } from './definitions.js'
import { expand, flatten } from './expand.js'
import { inclusionOf } from './inclusion.js'
import { membershipIn } from './membership.js'
import { readDefinitions } from './read-definitions.js'
import { coversGrant, isScopeName } from './scope.js'
import { intersect, NO_SCOPES, type ScopeSet } from './scope-set.js'
import { tellOfSlips, whyNotGrantable } from './why-not-grantable.js'

export type { ScopeSet } from './scope-set.js'

/** The existing scopes, and the meaning of grants. */
export type Catalogue = {
  /** Every scope, in the order of the options. */
  readonly names: readonly string[]
  /**
   * Expands the current permissions of a token with these grants: plain names in the order given, wildcards and groups in the order of the catalogue, then
   * the scopes that those imply. Names that do not exist, or no longer exist, are ignored. Equal grants get the same object.
   */
  resolve(grants: readonly string[]): ScopeSet
  /** Like `resolve`, for scopes from the host: warns the developer about names that are probably misspelled. */
  resolveFrom(where: string, grants: readonly string[]): ScopeSet
  /** Returns the intersection of two sets, in the order of the first. */
  intersect(a: ScopeSet, b: ScopeSet): ScopeSet
  /** Returns a message that says why a token cannot have this grant; `undefined` if it can. */
  whyNotGrantable(grant: unknown): string | undefined
  /**
   * Returns the first wanted grant that an actor with `actorGrants` cannot make; `undefined` if it can make all of them.
   *
   * A grant in `kept` is always allowed. Others must be within the actor's own grants, now and after any change to the catalogue and the groups:
   * an actor with `inventory:read` cannot grant `inventory:*`, even if it is the only such scope today, and granting a group requires
   * that group or `*`.
   */
  grantable(actorGrants: readonly string[], wanted: readonly string[], kept: readonly string[]): string | undefined
  /** Returns every possible grant: scopes, the wildcard of each first word, `*` where the options allow it, and groups. */
  grants(): readonly string[]
  /** Like `grants`, limited to what an actor with `actorGrants` may grant. */
  grantableOf(actorGrants: readonly string[]): readonly string[]
  /** Returns the grants in the list that include a scope; without a list, all possible grants that include it, the narrowest first. */
  givers(scope: string, grants?: readonly string[]): readonly string[]
}

/** Input of `compileCatalogue`: the options of the same names. */
export type CatalogueOptions = {
  readonly scopes: unknown
  readonly groups?: unknown
  readonly implies?: unknown
  readonly allowWildcard?: unknown
}

/** The maximum number of cached scope sets, and of grants in a cached set. Together they limit memory. */
const MAX_KEPT = 1000
const MAX_KEPT_GRANTS = 64

/**
 * Checks the scopes, groups, and implications from the options, and compiles them into a catalogue.
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

  /** Returns a function that says whether an actor with these grants may make a given grant. Reads the actor's grants only once. */
  function giverOf(actorGrants: readonly string[]): (grant: string) => boolean {
    const held = resolve(actorGrants)
    // Plain names cover no wildcard and no group.
    const wide = new Set(flatten(definitions, textsOf(actorGrants)).filter((pattern) => !isScopeName(pattern)))
    return (grant) => (isScopeName(grant) ? held.has(grant) : wide.has(grant) || [...wide].some((pattern) => coversGrant(pattern, grant)))
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
      return (grants === undefined ? candidates(definitions, scope) : textsOf(grants)).filter(inclusionOf(definitions, scope))
    },
    grantable(actorGrants: readonly string[], wanted: readonly string[], keptGrants: readonly string[]): string | undefined {
      const mayGive = giverOf(actorGrants)
      const isKept = membershipIn(keptGrants, wanted.length)
      const beyond = wanted.find((grant) => !isKept(grant) && (whyNotGrantable(definitions, grant) !== undefined || !mayGive(grant)))
      // Warn only if a grant is refused, because an actor's scopes may include permissions that only the host knows.
      if (beyond !== undefined) tellOfSlips(definitions, 'the scopes of an actor', textsOf(actorGrants))
      return beyond
    },
    grantableOf(actorGrants: readonly string[]): readonly string[] {
      const all = grantsOf(definitions)
      const found = all.filter(giverOf(actorGrants))
      if (found.length < all.length) tellOfSlips(definitions, 'the scopes of an actor', textsOf(actorGrants))
      return found
    },
    grants: () => grantsOf(definitions),
  })
}

function grantsOf({ names, groups, allowWildcard }: Definitions): readonly string[] {
  const words = new Set(names.filter((name) => name.includes(':')).map((name) => name.slice(0, name.indexOf(':'))))
  return [
    ...names,
    ...Array.from(words, (word) => `${word}:*`),
    ...(allowWildcard ? ['*'] : []),
    ...Array.from(groups.keys(), (name) => `@${name}`),
  ]
}

function candidates({ names, groups, allowWildcard }: Definitions, scope: string): readonly string[] {
  const segments = scope.split(':')
  const wildcards = segments.slice(1).map((_, at) => `${segments.slice(0, segments.length - 1 - at).join(':')}:*`)
  return [...new Set([scope, ...names]), ...[...groups.keys()].map((name) => `@${name}`), ...wildcards, ...(allowWildcard ? ['*'] : [])]
}

/** Keeps only the strings, because a store may return anything. */
function textsOf(grants: unknown): readonly string[] {
  return Array.isArray(grants) ? grants.filter((grant: unknown): grant is string => typeof grant === 'string') : []
}

/** Removes the oldest set, which a Map iterates first. Sets still in use stay alive through their references. */
function dropOldest(kept: Map<string, ScopeSet>): void {
  for (const key of kept.keys()) {
    kept.delete(key)
    return
  }
}
