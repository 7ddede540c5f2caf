/** Effective scopes: groups, wildcards, and implied scopes resolved to names in the catalogue. */
export type ScopeSet = {
  readonly names: readonly string[]
  has(scope: string): boolean
  /** Warns the developer if a checked scope does not exist. Absent if the catalogue is unknown. */
  readonly tell?: (scope: string) => void
}

/** The empty set. */
export const NO_SCOPES: ScopeSet = Object.freeze({ names: Object.freeze([]), has: () => false })

/** Creates a set of names. Small sets use a linear search, because a `Set` per token would use memory for little gain in speed. */
export function scopeSet(names: readonly string[], tell?: ScopeSet['tell']): ScopeSet {
  if (names.length === 0) return NO_SCOPES
  const kept = Object.freeze([...names])
  const from = tell && { tell }
  if (kept.length <= 8) return Object.freeze({ names: kept, has: (scope: string) => kept.includes(scope), ...from })
  const index = new Set(kept)
  return Object.freeze({ names: kept, has: (scope: string) => index.has(scope), ...from })
}

/** Returns whether the set contains the scope that a handler checks. Warns the developer if that scope does not exist. */
export function allowsScope(set: ScopeSet, scope: string): boolean {
  if (set.has(scope)) return true
  set.tell?.(scope)
  return false
}

/** Cached intersections. Tokens with the same scopes share a set, so most pairs recur. An entry lives no longer than its sets. */
const intersections: WeakMap<ScopeSet, WeakMap<ScopeSet, ScopeSet>> = new WeakMap()

/** Returns the intersection of two sets, in the order of the first. */
export function intersect(a: ScopeSet, b: ScopeSet): ScopeSet {
  if (a === b) return a
  const known = intersections.get(a) ?? new WeakMap<ScopeSet, ScopeSet>()
  intersections.set(a, known)
  const remembered = known.get(b)
  if (remembered !== undefined) return remembered
  const names = a.names.filter((name) => b.has(name))
  const result = names.length === a.names.length ? a : scopeSet(names, a.tell)
  known.set(b, result)
  return result
}
