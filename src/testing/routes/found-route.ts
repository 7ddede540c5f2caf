/** A route of an application, and whether it was found to stand behind a guard of latchkey. */
export type FoundRoute = {
  readonly methods: readonly string[]
  readonly path: string
  readonly guarded: boolean
  /** What runs for it, the last of which answers; where it is asked for. */
  readonly handlers?: readonly Layer[]
}

/** A middleware or a handler: what it is called with is its framework's business. */
// biome-ignore lint/complexity/noBannedTypes: only its identity, its length and its text are looked at
export type Layer = Function

/** The methods that stand for all of them, together. */
const COMMON = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** The names of a route: one for each method, or `ALL` for every method. A HEAD that stands beside its GET is left out. */
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
