import type { Definitions } from './definitions.js'
import { tellOfAsked } from './why-not-grantable.js'

/** The scopes in force: groups, wildcards and implied scopes resolved to names of the catalogue. */
export type ScopeSet = {
  readonly names: readonly string[]
  has(scope: string): boolean
  /** Where the names come from; absent where no catalogue is known. */
  readonly definitions?: Definitions
}

/** Nothing at all. */
export const NO_SCOPES: ScopeSet = Object.freeze({ names: Object.freeze([]), has: () => false })

/** A set of names. Few names are searched in place: a `Set` for each of many tokens would cost more memory than it saves time. */
export function scopeSet(names: readonly string[], definitions?: Definitions): ScopeSet {
  if (names.length === 0) return NO_SCOPES
  const kept = Object.freeze([...names])
  const from = definitions && { definitions }
  if (kept.length <= 8) return Object.freeze({ names: kept, has: (scope: string) => kept.includes(scope), ...from })
  const index = new Set(kept)
  return Object.freeze({ names: kept, has: (scope: string) => index.has(scope), ...from })
}

/** Does the set hold the scope that a handler asks for? The developer is told of one that does not exist. */
export function allowsScope(set: ScopeSet, scope: string): boolean {
  if (set.has(scope)) return true
  if (set.definitions !== undefined) tellOfAsked(set.definitions, scope)
  return false
}

/** Sets are shared between tokens with the same scopes, so most pairs are met again. Held no longer than the sets themselves. */
const intersections: WeakMap<ScopeSet, WeakMap<ScopeSet, ScopeSet>> = new WeakMap()

/** The intersection of two sets, in the order of the first. */
export function intersect(a: ScopeSet, b: ScopeSet): ScopeSet {
  if (a === b) return a
  const known = intersections.get(a) ?? new WeakMap<ScopeSet, ScopeSet>()
  intersections.set(a, known)
  const remembered = known.get(b)
  if (remembered !== undefined) return remembered
  const names = a.names.filter((name) => b.has(name))
  const result = names.length === a.names.length ? a : scopeSet(names, a.definitions)
  known.set(b, result)
  return result
}
