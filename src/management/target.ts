/** Returns the path and query of a request target. In absolute form (RFC 9112 §3.2.2), a target also contains an origin. */
export function pathIn(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
}

/** Returns the path of a request target, without its query. */
export function pathOf(target: string): string {
  const inside = pathIn(target)
  const query = inside.indexOf('?')
  return query === -1 ? inside : inside.slice(0, query)
}

/**
 * Checks whether a path is normalized, unlike `/x/../y` and `/x/%2e%2e/y` (RFC 3986 §6.2.2). Also rejects `/x//y`, which some routers treat as `/x/y`
 * but path rules do not.
 */
export function isNormalPath(path: string): boolean {
  const url = new URL('http://localhost')
  url.pathname = path
  return url.pathname === path && !path.includes('//')
}

/** Checks whether the path of a request target is normalized. */
export function isNormalTarget(target: string): boolean {
  return isNormalPath(pathOf(target) || '/')
}
