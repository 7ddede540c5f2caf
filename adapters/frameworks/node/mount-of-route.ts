import { pathOf } from '../../../src/management/target.js'
import { appsAround, insideOf, type Layer, MOST_DEPTH, MOST_TRIES, stackOf, takenBy } from './layers.js'
import { mountPattern } from './mount-pattern.js'

/** `req.route`, which belongs to the routers. */
export type Route = { readonly path?: unknown }

/** The properties of a request from which the mount path of its route is determined. */
export type Routed = {
  readonly baseUrl?: unknown
  readonly url?: unknown
  readonly originalUrl?: unknown
}

const MOST_LENGTH = 4096
const MOST_BASES = 1000

/**
 * For a route whose pattern can take any number of segments: its entries, keyed by the mount path. Contains only mount paths without caller-chosen
 * segments.
 */
const entries: WeakMap<object, Map<string, Layer>> = new WeakMap()

/**
 * Returns the path pattern under which the router of the request's route is mounted; `undefined` if unknown.
 *
 * After a handler has failed, Express passes the error to the outer routers and restores `req.baseUrl` to theirs, but `req.route` remains. So `req.baseUrl`
 * counts only if the route takes exactly the rest of the path. Otherwise, the route is looked up in the routers of the application.
 */
export function mountOfRoute(app: object, route: Route | undefined, routed: Routed): string | undefined {
  const { baseUrl, url } = routed
  const pattern = route?.path
  if (route === undefined || typeof pattern !== 'string') return undefined
  const base = typeof baseUrl === 'string' ? baseUrl : ''
  const rest = pathIfText(url)
  if (isPlain(pattern) ? segmentsIn(pattern) === segmentsIn(rest) : takes(entries.get(route)?.get(base), rest))
    return mountPattern(app, base)
  // A handler may have changed `req.url`.
  const found = basesOf(route, app, base + rest) ?? basesOf(route, app, pathIfText(routed.originalUrl))
  const at = found?.has(base) ? base : found?.size === 1 ? [...found.keys()][0] : undefined
  const mount = at === undefined ? undefined : mountPattern(app, at)
  if (at !== undefined && mount === at) remember(route, at, found?.get(at))
  return mount
}

function remember(route: object, base: string, layer: Layer | undefined): void {
  const known = entries.get(route) ?? new Map()
  entries.set(route, known)
  if (layer !== undefined && known.size < MOST_BASES) known.set(base, layer)
}

function takes(layer: Layer | undefined, rest: string): boolean {
  return layer !== undefined && takenBy(layer, rest) !== undefined
}

function pathIfText(url: unknown): string {
  return typeof url === 'string' ? pathOf(url) : ''
}

/** Returns whether each segment of a pattern takes exactly one segment of a path. */
function isPlain(pattern: string): boolean {
  return pattern.startsWith('/') && !/[?+*(){}[\]\\!"|^]/.test(pattern)
}

/** Returns the number of segments, whether or not the path ends with a slash. */
function segmentsIn(path: string): number {
  let count = 0
  for (let at = 0; at < path.length; at += 1) if (path[at] === '/' && at < path.length - 1) count += 1
  return count
}

/** Returns the mount paths under which the route takes the whole path, with its entry in the router; `undefined` if there are none. */
function basesOf(route: object, app: object, path: string): ReadonlyMap<string, Layer> | undefined {
  const [outermost, ...others] = appsAround(app)
  const found: Map<string, Layer> = new Map()
  let tries = 0
  const follow = (stack: readonly Layer[], left: string, base: string, inner: readonly object[], depth: number): void => {
    if (depth >= MOST_DEPTH) tries = MOST_TRIES
    // Express adds this slash, too.
    const rest = left.startsWith('/') ? left : `/${left}`
    for (const layer of stack) {
      tries += 1
      if (tries > MOST_TRIES) return
      if (layer.route === route && inner.length === 0 && takenBy(layer, rest) !== undefined) found.set(base, layer)
      if (layer.route !== undefined) continue
      const { stack: nested, inner: beyond } = insideOf(layer, inner)
      const taken = nested === undefined ? undefined : takenBy(layer, rest)?.taken
      if (nested === undefined || taken === undefined || /^[^/.]/.test(rest.slice(taken.length))) continue
      follow(nested, rest.slice(taken.length), base + taken.replace(/\/$/, ''), beyond, depth + 1)
    }
  }
  if (outermost !== undefined && path.length <= MOST_LENGTH) follow(stackOf(outermost), path, '', others, 0)
  return found.size === 0 || tries > MOST_TRIES ? undefined : found
}
