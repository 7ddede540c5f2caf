import type { Definitions } from './definitions.js'
import { isGroupReference, isWildcard } from './scope.js'
import { type ScopeSet, scopeSet } from './scope-set.js'
import { tellOfAsked } from './why-not-grantable.js'

/** Expands grants: plain names in the order given, then the scopes that wildcards and groups cover, in the order of the catalogue, then implied scopes. */
export function expand(definitions: Definitions, grants: readonly string[]): ScopeSet {
  const names = new Set<string>()
  for (const grant of grants) {
    if (definitions.known.has(grant)) names.add(grant)
    else for (const name of coveredBy(definitions, grant)) names.add(name)
  }
  // Iterating over a Set includes entries that are added in the meantime, so this follows chains and terminates on cycles.
  for (const name of names) for (const implied of definitions.implies.get(name) ?? []) names.add(implied)
  return scopeSet([...names], (scope) => tellOfAsked(definitions, scope))
}

/** Returns the grants together with the members of their groups. Grants without an effect are omitted. */
export function flatten(definitions: Definitions, grants: readonly string[]): readonly string[] {
  return grants.flatMap((grant) => [grant, ...membersOf(definitions, grant)]).filter((grant) => grant !== '*' || definitions.allowWildcard)
}

// One pass over the catalogue, regardless of the number of members in a group.
function coveredBy(definitions: Definitions, grant: string): readonly string[] {
  const patterns = flatten(definitions, [grant])
  const wildcards = patterns.filter(isWildcard)
  if (wildcards.length === 0 && !isGroupReference(grant)) return []
  const plain = new Set(patterns)
  const beginnings = wildcards.map((wildcard) => wildcard.slice(0, -1))
  return definitions.names.filter((name) => plain.has(name) || beginnings.some((beginning) => name.startsWith(beginning)))
}

function membersOf(definitions: Definitions, grant: string): readonly string[] {
  return isGroupReference(grant) ? (definitions.groups.get(grant.slice(1)) ?? []) : []
}
