import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { InvalidInputError } from '../../errors.js'
import { isGuard } from '../../http/guard-marks.js'
import type { FoundRoute, Layer } from './found-route.js'

type RouteOptions = { readonly method: string | readonly string[]; readonly url: string; readonly handler: Layer }
type Declared = { readonly instance: object; readonly options: RouteOptions }

/** The hooks that run before a handler. */
const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

// Fastify exposes a route only when it is declared.
const declared = new WeakMap<object, Declared[]>()

/** Runs the work, and records the routes of every Fastify server that it creates. */
export async function listening<T>(work: () => Promise<T>): Promise<T> {
  const hear = (message: unknown): void => {
    const { fastify } = Object(message) as {
      fastify: { addHook(name: 'onRoute', hook: (this: object, options: RouteOptions) => void): void }
    }
    const routes: Declared[] = []
    declared.set(fastify, routes)
    fastify.addHook('onRoute', function noteRoute(options) {
      routes.push({ instance: this, options })
    })
  }
  subscribe('fastify.initialization', hear)
  try {
    return await work()
  } finally {
    unsubscribe('fastify.initialization', hear)
  }
}

/**
 * Returns the routes of a Fastify server, including those of plugins.
 *
 * @throws InvalidInputError `invalid_input`, field `app`, for a server that was created earlier
 */
export async function fastifyRoutes(app: { ready(): PromiseLike<unknown> }): Promise<readonly FoundRoute[]> {
  const routes = declared.get(app)
  if (routes === undefined) {
    throw new InvalidInputError(
      'app',
      'is a Fastify server, which exposes its routes only while they are declared: pass a function that creates it, unguardedRoutes(() => createApp(tokens))',
    )
  }
  await app.ready()
  const found = routes.map(({ instance, options }) => ({
    methods: methodsOf(options),
    path: options.url,
    guarded: isGuard(options.handler) || HOOKS.some((name) => hooksOf(instance, options, name).some(isGuard)),
    handlers: [options.handler],
  }))
  // Fastify adds a HEAD route to each GET, which is reported as one route.
  const listed = new Set(found.flatMap(({ methods, path, guarded }) => (methods.includes('GET') && !guarded ? [path] : [])))
  return found.map((route) => ({
    ...route,
    methods: route.methods.filter((method) => method !== 'HEAD' || route.guarded || !listed.has(route.path)),
  }))
}

function methodsOf({ method }: RouteOptions): readonly string[] {
  return [method].flat()
}

// The hooks of the context, after everything is loaded, and those of the route.
function hooksOf(instance: object, options: RouteOptions, name: string): readonly unknown[] {
  const hooks: unknown = Reflect.get(instance, hooksSymbol(instance) ?? '')
  return [Reflect.get(Object(hooks), name) ?? [], Reflect.get(options, name) ?? []].flat()
}

function hooksSymbol(instance: object): symbol | undefined {
  for (let object: object | null = instance; object !== null; object = Reflect.getPrototypeOf(object)) {
    const found = Object.getOwnPropertySymbols(object).find(({ description }) => description === 'fastify.hooks')
    if (found !== undefined) return found
  }
  return undefined
}
