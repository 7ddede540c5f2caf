/** The path and query of a request target: in absolute form (RFC 9112 §3.2.2) it names an origin too. */
export function pathIn(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
}

/** Is a path in its normal form, which `/x/../y` and `/x/%2e%2e/y` are not (RFC 3986 §6.2.2)? */
export function isNormalPath(path: string): boolean {
  const url = new URL('http://localhost')
  url.pathname = path
  return url.pathname === path
}

/** Is the path of a request target in its normal form? */
export function isNormalTarget(target: string): boolean {
  const [path = ''] = pathIn(target).split('?')
  return isNormalPath(path || '/')
}
