import { isGuard } from '../../http/guard-marks.js'
import { type FoundRoute, joinPaths, type Layer } from './found-route.js'
import { isLiteral, isUniform, samplePaths } from './sample-paths.js'

type Captured = (layer: Layer) => { readonly [name: string]: unknown }
/** Whether a guard protects this path. */
type Passed = (path: string) => boolean

/** An entry of @koa/router for a route, or for middleware that `use` added. */
type RouterLayer = {
  readonly path: string | RegExp
  readonly methods: readonly string[]
  readonly stack: readonly Layer[]
  match(path: string): boolean
}
type Router = { readonly stack: readonly RouterLayer[]; readonly exclusive?: unknown }

/** Returns the routes of a Koa application's routers, and of those that koa-mount and koa-compose nest in it. */
export function koaRoutes(app: { readonly middleware: readonly Layer[] }, captured: Captured): readonly FoundRoute[] {
  return walk(app.middleware, '', () => false, captured).routes
}

function walk(
  middleware: readonly Layer[],
  prefix: string,
  before: Passed,
  captured: Captured,
): { readonly routes: readonly FoundRoute[]; readonly passed: Passed } {
  let passed = before
  const routes: FoundRoute[] = []
  const closed = (below: string): void => {
    routes.push({ methods: ['ALL'], path: joinPaths(below, '/*'), guarded: isPassed(joinPaths(below, '/*'), passed) })
  }
  for (const layer of middleware) {
    const router: unknown = Reflect.get(layer, 'router')
    if (isGuard(layer)) passed = () => true
    else if (isRouter(router)) routes.push(...routesOf(router, prefix, passed))
    else if (isMount(layer)) {
      const { prefix: own, downstream } = captured(layer)
      if (typeof own !== 'string' || typeof downstream !== 'function') closed(prefix)
      else {
        const below = joinPaths(prefix, own)
        if (isGuard(downstream)) passed = under(below, passed)
        else routes.push(...walk([downstream], below, passed, captured).routes)
      }
    } else if (isComposed(layer)) {
      const { middleware: inner } = captured(layer)
      if (!Array.isArray(inner)) closed(prefix)
      else {
        const found = walk(inner, prefix, passed, captured)
        routes.push(...found.routes)
        passed = found.passed
      }
    }
  }
  return { routes, passed }
}

// koa-mount is case-sensitive, so a path in another case bypasses it.
function under(prefix: string, before: Passed): Passed {
  const start = prefix.replace(/\/$/, '')
  return (path) => before(path) || path === start || path.startsWith(`${start}/`)
}

function routesOf(router: Router, prefix: string, before: Passed): readonly FoundRoute[] {
  return router.stack.flatMap((layer, at): readonly FoundRoute[] => {
    if (layer.methods.length === 0) return []
    const path = typeof layer.path === 'string' ? joinPaths(prefix, layer.path) : joinPaths(prefix, '/(unreadable)')
    const found = layer.methods.map((method) => {
      const earlier = router.exclusive ? [] : router.stack.slice(0, at).filter((other) => reaches(other, method))
      const guarded = isClosed(layer.stack) || isReachedGuarded({ layer, earlier, prefix, before })
      return { methods: [method], path, guarded }
    })
    // Groups the methods by verdict, because each GET route also has a HEAD route.
    return [true, false].map((guarded) => ({
      methods: found.filter((route) => route.guarded === guarded).flatMap((route) => route.methods),
      path,
      guarded,
    }))
  })
}

function reaches({ methods }: RouterLayer, method: string): boolean {
  return methods.length === 0 || methods.includes(method)
}

type Reached = { readonly layer: RouterLayer; readonly earlier: readonly RouterLayer[]; readonly prefix: string; readonly before: Passed }

function isReachedGuarded({ layer, earlier, prefix, before }: Reached): boolean {
  if (typeof layer.path !== 'string') return isPassed(undefined, before)
  const own = layer.path
  const counts = ({ path }: RouterLayer): boolean => isLiteral(own) || isUniform(path) || path === own
  const guards = earlier.filter((other) => isClosed(other.stack) && counts(other))
  const paths = samplePaths(layer.path).filter((path) => matches(layer, path))
  if (paths.length === 0) return isPassed(undefined, before)
  return paths.every((path) => before(joinPaths(prefix, path)) || guards.some((guard) => matches(guard, path)))
}

// An unreadable path can be any path, so only a guard of the whole application protects it.
function isPassed(path: string | undefined, before: Passed): boolean {
  return path === undefined ? before('') && before('/') && before('//') : before('') || samplePaths(path).every(before)
}

// A handler without `next` responds, so a guard after it comes too late.
function isClosed(stack: readonly Layer[]): boolean {
  const guard = stack.findIndex((layer) => isGuard(layer))
  return guard !== -1 && stack.slice(0, guard).every((layer) => layer.length >= 2)
}

function matches(layer: RouterLayer, path: string): boolean {
  try {
    return layer.match(path)
  } catch {
    return false
  }
}

function isRouter(value: unknown): value is Router {
  return Array.isArray(Object(value).stack)
}

// The middleware of these two packages can be recognized only by its source text.
function isMount(layer: Layer): boolean {
  return /\bmountPath = prefix\b/.test(String(layer))
}

function isComposed(layer: Layer): boolean {
  return /\bdispatch\b/.test(String(layer)) && /next\(\) called multiple times/.test(String(layer))
}
