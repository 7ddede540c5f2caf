import type { Definitions } from './definitions.js'
import { flatten } from './expand.js'
import { isWildcard } from './scope.js'

/** Returns a test of whether a grant includes a scope. It expands no grant, because a caller may test all possible grants for many scopes. */
export function inclusionOf(definitions: Definitions, scope: string): (grant: string) => boolean {
  const enough = enoughFor(definitions, scope)
  const covers = (pattern: string): boolean => {
    if (!isWildcard(pattern)) return false
    const beginning = pattern.slice(0, -1)
    return [...enough].some((name) => name.startsWith(beginning))
  }
  const includes = (grant: string): boolean => {
    const patterns = flatten(definitions, [grant])
    return patterns.some((pattern) => enough.has(pattern)) || patterns.some(covers)
  }
  return (grant) => enough.has(grant) || (!definitions.known.has(grant) && includes(grant))
}

/** Returns the names that give a scope: its own, and those that imply it, directly or not. */
function enoughFor(definitions: Definitions, scope: string): ReadonlySet<string> {
  const impliers = impliersIn(definitions)
  const names = new Set(definitions.known.has(scope) ? [scope] : [])
  // Iterating over a Set includes entries that are added in the meantime, so this follows chains and terminates on cycles.
  for (const name of names) for (const implier of impliers.get(name) ?? []) names.add(implier)
  return names
}

const known: WeakMap<Definitions, ReadonlyMap<string, readonly string[]>> = new WeakMap()

/** Returns the names that directly imply each name. */
function impliersIn(definitions: Definitions): ReadonlyMap<string, readonly string[]> {
  const before = known.get(definitions)
  if (before !== undefined) return before
  const impliers = new Map<string, string[]>()
  for (const [name, implied] of definitions.implies) {
    for (const other of implied) {
      const names = impliers.get(other) ?? []
      impliers.set(other, names)
      names.push(name)
    }
  }
  known.set(definitions, impliers)
  return impliers
}
