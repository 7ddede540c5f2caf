import type { Principal } from '../model/principal.js'
import type { ResourceMode } from '../policy/resource-mode.js'
import { permits } from './principal.js'

const NONE: readonly string[] = []

/**
 * Returns the first scope held, for which resources are then checked; `undefined` if the scopes held are not enough. A scope that does not exist is never
 * held.
 */
export function heldScope(
  principal: Principal,
  { scopes, any }: { readonly scopes: readonly string[]; readonly any: boolean },
  exists: (scope: string) => boolean,
): string | undefined {
  let first: string | undefined
  let count = 0
  for (const scope of scopes) {
    if (!exists(scope) || !permits(principal, scope)) continue
    first ??= scope
    count += 1
  }
  return any || count === scopes.length ? first : undefined
}

/** Returns the dimensions that a route must name to accept this principal. */
export function limitsOf(mode: ResourceMode | undefined, principal: Principal | undefined): readonly string[] {
  return mode === 'explicit' && principal?.resources !== undefined ? Object.keys(principal.resources) : NONE
}

/** Returns whether the principal may access every value. `Object.fromEntries` treats a dimension named `__proto__` like any other. */
export function reaches(principal: Principal, scope: string, dimension: string, values: readonly string[]): boolean {
  return permits(principal, scope, Object.fromEntries([[dimension, values]]))
}

/** Returns the values of a dimension as a list; `undefined` for anything else. */
export function resourceValues(found: unknown): readonly string[] | undefined {
  if (typeof found === 'string') return found === '' ? undefined : [found]
  if (!Array.isArray(found) || found.length === 0) return undefined
  const values: readonly unknown[] = Array.from(found)
  return values.every((value): value is string => typeof value === 'string' && value !== '') ? values : undefined
}

/** Returns whether the catalogue, if known, contains this scope. */
export function isKnown(catalogue: { readonly [scope: string]: string } | undefined, scope: string): boolean {
  return catalogue === undefined || Object.hasOwn(catalogue, scope)
}
