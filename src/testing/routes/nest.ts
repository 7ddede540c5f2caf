import { isGuard, isPublic } from '../../http/guard-marks.js'
import { type FoundRoute, joinPaths, type Layer } from './found-route.js'

type Wrapper = { readonly metatype?: unknown; readonly instance?: unknown }
type NestModule = { readonly controllers: ReadonlyMap<unknown, Wrapper>; readonly injectables: ReadonlyMap<unknown, Wrapper> }
type Captured = (layer: Layer) => { readonly [name: string]: unknown }
type Nest = {
  init(): Promise<unknown>
  getHttpAdapter(): { getInstance(): object }
  readonly container: { getModules(): ReadonlyMap<unknown, NestModule> }
  readonly config: { getGlobalGuards(): readonly unknown[]; getGlobalRequestGuards(): readonly Wrapper[] }
}

/** A controller method that handles requests. */
type Endpoint = { readonly declared: string; readonly paths: readonly string[]; readonly guarded: boolean }

/** Returns whether this is a Nest application. */
export function isNest(app: object): app is Nest {
  const { getHttpAdapter, container, config } = Object(app)
  return (
    typeof getHttpAdapter === 'function' && typeof container?.getModules === 'function' && typeof config?.getGlobalGuards === 'function'
  )
}

/** Returns the underlying Express or Fastify application, with all its routes. */
export async function underNest(app: Nest): Promise<object> {
  await app.init()
  return app.getHttpAdapter().getInstance()
}

/**
 * Marks the routes that guards of controllers, methods or the application protect, which are unknown to the underlying framework.
 *
 * A route is looked up by the metadata that Nest copies from a method to its handler. Methods of several controllers may have the same metadata. Prefixes
 * and versions precede the controller's path, so a route belongs to one of the methods whose path it ends with. It counts as guarded only if all of them
 * are guarded.
 */
export function markedByNest(app: Nest, routes: readonly FoundRoute[], captured: Captured): readonly FoundRoute[] {
  const endpoints = endpointsOf(app)
  return routes.flatMap(({ handlers = [], ...route }) => {
    const [last] = handlers.slice(-1)
    if (last !== undefined && isNotFound(captured(last).targetCallback)) return []
    // On Fastify, the handler of a path with parameters is wrapped once more.
    const inner = last === undefined || metadata('method', last) !== undefined ? last : captured(last).handler
    const guarded = typeof inner === 'function' && isGuarded(route, inner, endpoints)
    return { ...route, guarded: route.guarded || guarded }
  })
}

// Below a global prefix, Nest responds with 404 through its own route.
function isNotFound(callback: unknown): boolean {
  return typeof callback === 'function' && /new \w*\.?NotFoundException\(`Cannot /.test(String(callback))
}

function isGuarded({ path }: FoundRoute, handler: Layer, endpoints: readonly Endpoint[]): boolean {
  const own = declaredOn(handler)
  // The platform's adapter rewrites wildcards.
  const isPlain = /^[\w/:.~-]*$/.test(path)
  const possible = endpoints.filter(
    ({ declared, paths }) => declared === own && (!isPlain || paths.some((end) => end === '/' || path.endsWith(end))),
  )
  return possible.length > 0 && possible.every(({ guarded }) => guarded)
}

/** Returns the method and paths in a decorator such as `@Get(':id')`, as text. */
function declaredOn(handler: object): string {
  return JSON.stringify([metadata('method', handler), metadata('path', handler)])
}

function endpointsOf({ container, config }: Nest): readonly Endpoint[] {
  const everywhere = [...config.getGlobalGuards(), ...config.getGlobalRequestGuards().map(({ instance }) => instance)]
  return [...container.getModules().values()].flatMap(({ controllers, injectables }) =>
    [...controllers.values()].flatMap(({ metatype }) => {
      if (typeof metatype !== 'function') return []
      const instanceOf = (guard: unknown): unknown => (typeof guard === 'function' ? injectables.get(guard)?.instance : guard)
      const ofClass = listed(metadata('__guards__', metatype)).map(instanceOf)
      return methodsOf(metatype).map((handler) => {
        const ofMethod = listed(metadata('__guards__', handler)).map(instanceOf)
        const isFree = isPublic(handler)
        // As in the guards themselves: `@Public` on a method lifts the guards of its class and of the application, and on a class those of the application.
        const guards = [...ofMethod, ...(isFree ? [] : ofClass), ...(isFree || isPublic(metatype) ? [] : everywhere)]
        const below = listed(metadata('path', handler)).map(String)
        const paths = listed(metadata('path', metatype)).flatMap((prefix) =>
          below.map((path) => joinPaths(joinPaths('', String(prefix)), path)),
        )
        return { declared: declaredOn(handler), paths, guarded: guards.some(isGuard) }
      })
    }),
  )
}

function methodsOf(metatype: Layer): readonly Layer[] {
  const found = new Map<string, Layer>()
  for (let object: object | null = Object(metatype.prototype); object !== null; object = Reflect.getPrototypeOf(object)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
      if (!found.has(name) && typeof value === 'function' && metadata('method', value) !== undefined) found.set(name, value)
    }
  }
  return [...found.values()]
}

function listed(value: unknown): readonly unknown[] {
  return value === undefined ? [] : [value].flat()
}

// Defined by the package `reflect-metadata`, which every Nest application has.
function metadata(key: string, target: object): unknown {
  const read: unknown = Reflect.get(Reflect, 'getMetadata')
  return typeof read === 'function' ? Reflect.apply(read, Reflect, [key, target]) : undefined
}
