import { TrieRouter } from 'hono/router/trie-router'
import { isGuard } from '../../http/guard-marks.js'
import type { FoundRoute, Layer } from './found-route.js'
import { isLiteral, isUniform, samplePaths } from './sample-paths.js'

type HonoRoute = { readonly method: string; readonly path: string; readonly handler: Layer }

/** Returns the routes of a Hono application, including those of nested applications. */
export function honoRoutes(app: { readonly routes: readonly HonoRoute[] }): readonly FoundRoute[] {
  const entries = app.routes.map(({ method, path, handler }) => ({ method: method.toUpperCase(), path, handler: ownHandler(handler) }))
  // A separate router, because the application's router accepts no more routes after its first match.
  const router = new TrieRouter<number>()
  for (const [at, { method, path }] of entries.entries()) router.add(method, path, at)
  const reached = (method: string, path: string): readonly number[] => router.match(method, path)[0].map(([at]) => at)

  return entries.flatMap(({ method, path, handler }, at): readonly FoundRoute[] => {
    if (isGuard(handler) || isMiddleware(method, handler)) return []
    // A route for all methods needs a guard for all methods.
    const ways = samplePaths(path)
      .map((sample) => reached(method, sample))
      .filter((way) => way.includes(at))
    const guarded = ways.length > 0 && ways.every((way) => way.some((other) => other < at && isBefore(other, path)))
    // A middleware and the handlers after it in one call to `get` are reported as one route.
    return [{ methods: [method], path, guarded }]
  })

  function isBefore(other: number, path: string): boolean {
    const entry = entries[other]
    if (entry === undefined || !isGuard(entry.handler)) return false
    return isLiteral(path) || isUniform(entry.path) || entry.path === path
  }
}

// Unwraps a handler that `route` wrapped because its application has its own error handler.
function ownHandler(handler: Layer): Layer {
  const inner: unknown = Reflect.get(handler, '__COMPOSED_HANDLER')
  return typeof inner === 'function' ? ownHandler(inner) : handler
}

// `use` creates a route for all methods. `mount` creates a similar one, but it responds.
function isMiddleware(method: string, handler: Layer): boolean {
  return method === 'ALL' && handler.length >= 2 && !/\bapplicationHandler\b/.test(String(handler))
}
