import { isGuard } from '../../http/guard-marks.js'
import type { FoundRoute, Layer } from './found-route.js'
import { joinPaths } from './found-route.js'
import { isLiteral, isUniform, samplePaths } from './sample-paths.js'

type Pattern = string | RegExp
type RouteLayer = { readonly method?: string | undefined; readonly handle: Layer }
type ExpressLayer = {
  readonly handle: Layer & { readonly stack?: readonly ExpressLayer[] }
  readonly route?: { readonly path: Pattern | readonly Pattern[]; readonly stack: readonly RouteLayer[] }
  /** The part of the path that the last match consumed. */
  readonly path?: string
  /** Router 2.3 and later. */
  readonly rawPath?: Pattern | readonly Pattern[]
  readonly slash?: boolean
  /** Express 4. */
  readonly regexp?: RegExp & { readonly fast_slash?: boolean; readonly fast_star?: boolean }
  /** Router 2.3 returns the match instead of setting `path`. */
  match(path: string): boolean | { readonly path: string } | null
}

/** A layer on the way to a route, and the layers before it in its router. */
type Step = { readonly layer: ExpressLayer; readonly before: readonly ExpressLayer[]; readonly pattern: string | undefined }
type Captured = (layer: Layer) => { readonly [name: string]: unknown }

/** Replaces a path that is a regular expression, or that this version of the router does not expose. */
const UNREADABLE = '(unreadable)'

/** Returns the routes of an Express application or router, including those of nested routers and applications. */
export function expressRoutes(app: object, captured: Captured): readonly FoundRoute[] {
  return walk(stackOf(app), [], captured)
}

function stackOf(app: object): readonly ExpressLayer[] {
  // The getter `router` of Express 4 throws.
  const router: unknown = 'lazyrouter' in app ? Reflect.get(app, '_router') : 'set' in app ? Reflect.get(app, 'router') : app
  const stack: unknown = Object(router).stack
  return Array.isArray(stack) ? stack : []
}

function walk(stack: readonly ExpressLayer[], above: readonly Step[], captured: Captured): readonly FoundRoute[] {
  return stack.flatMap((layer, at): readonly FoundRoute[] => {
    const steps = patternsOf(layer).map((pattern) => [...above, { layer, before: stack.slice(0, at), pattern }])
    if (layer.route !== undefined) return steps.flatMap((way) => readRoute(way))
    const inner = innerStack(layer, captured)
    if (inner === 'closed')
      return steps.map((way) => ({ methods: ['ALL'], path: joinPaths(nameOf(way), '/*'), guarded: isReachedGuarded(way) }))
    return inner === undefined ? [] : steps.flatMap((way) => walk(inner, way, captured))
  })
}

function innerStack({ handle }: ExpressLayer, captured: Captured): readonly ExpressLayer[] | 'closed' | undefined {
  if (Array.isArray(handle.stack)) return handle.stack
  if (handle.name !== 'mounted_app') return undefined
  const app = captured(handle).fn
  return typeof app === 'function' ? stackOf(app) : 'closed'
}

function readRoute(way: readonly Step[]): readonly FoundRoute[] {
  const stack = way.at(-1)?.layer.route?.stack ?? []
  const path = nameOf(way)
  const before = isReachedGuarded(way)
  const named = [...new Set(stack.flatMap(({ method }) => method ?? []))].filter((method) => method !== '_all')
  const methods = stack.some(({ method }) => method === undefined || method === '_all') ? ['ALL', ...named] : named
  const open = (method: string): boolean => {
    const own = stack.filter((layer) => layer.method === undefined || layer.method === '_all' || layer.method === method)
    return isOpen(own.map(({ handle }) => handle))
  }
  const handlers = stack.map(({ handle }) => handle)
  const unguarded = before ? [] : methods.filter(open)
  return [
    { methods: unguarded, path, guarded: false, handlers },
    { methods: methods.filter((method) => !unguarded.includes(method)), path, guarded: true, handlers },
  ].filter((route) => route.methods.length > 0)
}

// A handler without `next` responds, so a guard after it comes too late.
function isOpen(handles: readonly Layer[]): boolean {
  const guard = handles.findIndex((handle) => isGuard(handle))
  if (guard === -1) return handles.length > 0
  return handles.slice(0, guard).some((handle) => handle.length < 3)
}

/** Returns whether every path that leads here passes a guard. */
function isReachedGuarded(way: readonly Step[]): boolean {
  if (way.some(({ before }) => before.some((layer) => isUnconditional(layer) && isGuardLayer(layer)))) return true
  if (way.some(({ before, layer }) => before.some((other) => isGuardLayer(other) && matchesAlike(other, layer)))) return true
  if (way.some(({ pattern }) => pattern === undefined)) return false
  const name = nameOf(way)
  const counts = (layer: ExpressLayer): boolean => isGuardLayer(layer) && (isLiteral(name) || isUniformLayer(layer))
  const verdicts = samplePaths(name)
    .map((path) => judge(way, path, counts))
    .filter((verdict) => verdict !== undefined)
  return verdicts.length > 0 && verdicts.every(Boolean)
}

/** Follows one request and returns whether it passes a guard; `undefined` if it does not arrive here. */
function judge(way: readonly Step[], path: string, counts: (layer: ExpressLayer) => boolean): boolean | undefined {
  let rest = path
  let guarded = false
  for (const { layer, before } of way) {
    guarded ||= before.some((other) => counts(other) && matched(other, rest) !== undefined)
    const taken = matched(layer, rest)
    if (taken === undefined) return undefined
    rest = rest.slice(taken.length)
    if (!rest.startsWith('/')) rest = `/${rest}`
  }
  return guarded
}

/** Returns the part of a path that a layer consumes; `undefined` if Express does not run it. */
function matched(layer: ExpressLayer, path: string): string | undefined {
  try {
    const match = layer.match(path)
    if (match === null || match === false) return undefined
    const taken = (match === true ? layer.path : match.path) ?? ''
    return layer.route !== undefined || endsAtBoundary(layer, path, taken) ? taken : undefined
  } catch {
    return undefined
  }
}

// After the match, Express skips middleware and routers that consumed only a part of a segment. Express 4 also accepts a dot.
function endsAtBoundary({ regexp }: ExpressLayer, path: string, taken: string): boolean {
  if (taken === '') return true
  const next = path.charAt(taken.length)
  return path.startsWith(taken) && (next === '' || next === '/' || (next === '.' && regexp !== undefined))
}

/** Returns whether two layers of one router match the same paths, because they have the same pattern. */
function matchesAlike(one: ExpressLayer, other: ExpressLayer): boolean {
  if ((one.route === undefined) !== (other.route === undefined)) return false
  const [given, wanted] = [one, other].map(({ route, rawPath, regexp }) => route?.path ?? rawPath ?? regexp)
  if (given === undefined || Array.isArray(given) || Array.isArray(wanted)) return false
  return typeof given === typeof wanted && String(given) === String(wanted)
}

function isUniformLayer(layer: ExpressLayer): boolean {
  if (isUnconditional(layer) || layer.regexp?.fast_star === true) return true
  const given = layer.route?.path ?? layer.rawPath
  if (given !== undefined) return [given].flat().every(isUniform)
  return layer.regexp !== undefined && (readRegexp(layer.regexp) !== undefined || isUniform(layer.regexp))
}

// A guard that comes first in a route of all methods also protects later routes. If it is not first, `next('route')` could skip it.
function isGuardLayer({ handle, route }: ExpressLayer): boolean {
  if (route === undefined) return isGuard(handle)
  const [first] = route.stack
  return (
    isGuard(first?.handle) &&
    COMMON_METHODS.every((method) => route.stack.some((layer) => layer.handle === first?.handle && takes(layer, method)))
  )
}

const COMMON_METHODS = ['get', 'post', 'put', 'patch', 'delete', 'options', 'head']

function takes({ method }: RouteLayer, wanted: string): boolean {
  return method === undefined || method === '_all' || method === wanted
}

function isUnconditional({ route, slash, regexp }: ExpressLayer): boolean {
  return route === undefined && (slash === true || regexp?.fast_slash === true)
}

function nameOf(way: readonly Step[]): string {
  return way.reduce((path, { pattern, layer }) => (isUnconditional(layer) ? path : joinPaths(path, pattern ?? `/${UNREADABLE}`)), '') || '/'
}

function patternsOf(layer: ExpressLayer): readonly (string | undefined)[] {
  if (isUnconditional(layer)) return ['']
  const given = layer.route?.path ?? layer.rawPath
  if (given !== undefined) return [given].flat().map((pattern) => (typeof pattern === 'string' ? pattern : undefined))
  return [readRegexp(layer.regexp)]
}

// Express 4 keeps only the regular expression of a mount path, from path-to-regexp 0.1. A misread expression matches no sample, and counts as unguarded.
function readRegexp(regexp: RegExp | undefined): string | undefined {
  if (regexp === undefined) return undefined
  let count = 0
  const text = regexp.source
    .replace(/^\^/, '')
    .replace(/\\\/\?(?:\(\?=\\\/\|\$\)|\$)$/, '')
    .replace(/\(\?:(\\\/)?\(\[\^\\?\/\]\+\?\)\)/g, (_, slash = '') => `${slash}:p${++count}`)
    .replace(/\(\.\*\)/g, '*')
    .replace(/\\([/.-])/g, '$1')
  return /[()[\]|^$+?\\]/.test(text) ? undefined : text || '/'
}
