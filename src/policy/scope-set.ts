/** The scopes in force: groups, wildcards and implied scopes resolved to names of the catalogue. */
export type ScopeSet = {
  readonly names: readonly string[]
  has(scope: string): boolean
  /** Tells the developer of a scope that was asked for and does not exist; absent where no catalogue is known. */
  readonly tell?: (scope: string) => void
}

/** Nothing at all. */
export const NO_SCOPES: ScopeSet = Object.freeze({ names: Object.freeze([]), has: () => false })

/** A set of names. Few names are searched in place: a `Set` for each of many tokens would cost more memory than it saves time. */
export function scopeSet(names: readonly string[], tell?: ScopeSet['tell']): ScopeSet {
  if (names.length === 0) return NO_SCOPES
  const kept = Object.freeze([...names])
  const from = tell && { tell }
  if (kept.length <= 8) return Object.freeze({ names: kept, has: (scope: string) => kept.includes(scope), ...from })
  const index = new Set(kept)
  return Object.freeze({ names: kept, has: (scope: string) => index.has(scope), ...from })
}

/** Does the set hold the scope that a handler asks for? The developer is told of one that does not exist. */
export function allowsScope(set: ScopeSet, scope: string): boolean {
  if (set.has(scope)) return true
  set.tell?.(scope)
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
  const result = names.length === a.names.length ? a : scopeSet(names, a.tell)
  known.set(b, result)
  return result
}
