/** A route of an application, and whether a latchkey guard was found to protect it. */
export type FoundRoute = {
  readonly methods: readonly string[]
  readonly path: string
  readonly guarded: boolean
  /** The functions that run for the route, the last of which responds. Set only by adapters whose callers need it. */
  readonly handlers?: readonly Layer[]
}

/** Middleware or a handler of any framework. */
// biome-ignore lint/complexity/noBannedTypes: only its identity, its length and its text are looked at
export type Layer = Function

/** A route with all of these methods counts as a route for every method. */
const COMMON = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Returns the names of a route: one for each method, or `ALL` for every method. HEAD is omitted if there is a GET. */
export function namesOf({ methods, path }: FoundRoute): readonly string[] {
  const all = new Set(methods.map((method) => method.toUpperCase()))
  if (all.has('ALL') || COMMON.every((method) => all.has(method))) return [`ALL ${path}`]
  if (all.has('GET')) all.delete('HEAD')
  return [...all].map((method) => `${method} ${path}`)
}

/** Puts a path under another. */
export function joinPaths(prefix: string, path: string): string {
  const below = path === '/' && prefix !== '' ? '' : path
  return `${prefix.replace(/\/+$/, '')}${below.startsWith('/') || below === '' ? '' : '/'}${below}` || '/'
}
