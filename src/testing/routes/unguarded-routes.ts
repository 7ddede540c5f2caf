import { InvalidInputError } from '../../errors.js'
import type { MaybePromise } from '../../model/json.js'
import { createCapturedReader } from './captured.js'
import { expressRoutes } from './express.js'
import { fastifyRoutes, listening } from './fastify.js'
import { type FoundRoute, type Layer, namesOf } from './found-route.js'
import { honoRoutes } from './hono.js'
import { koaRoutes } from './koa.js'
import { isNest, markedByNest, underNest } from './nest.js'

/**
 * Lists the routes of an application that no latchkey guard protects, such as `GET /health`, so that a test can assert which they are.
 *
 * It inspects the routing tables of Express 4 and 5, Koa with @koa/router, Fastify, Hono and Nest, and sends no requests. Guards are `authenticate`
 * without `optional`, `requireScopes`, `protect`, their Nest counterparts, and `management`. A route is listed if its protection cannot be
 * determined. Middleware that responds without a route, for example with static files, is not a route and is not listed.
 *
 * @param app - The application, or a function that creates it, which Fastify requires.
 * @throws InvalidInputError `invalid_input`, field `app`, for anything else
 * @example
 * ```ts
 * it('nothing but health and sign-in is open', async () => {
 *   expect(await unguardedRoutes(() => createApp(tokens))).toEqual(['GET /health', 'POST /sign-in'])
 * })
 * ```
 */
export async function unguardedRoutes(app: object | (() => MaybePromise<object>)): Promise<readonly string[]> {
  const made: unknown = isMaker(app) ? await listening(async () => app()) : app
  if ((typeof made !== 'object' && typeof made !== 'function') || made === null) throw unknownApp()
  if (!isNest(made)) return namesIn(await routesOf(made))
  return namesIn(markedByNest(made, await routesOf(await underNest(made)), await createCapturedReader()))
}

async function routesOf(app: object): Promise<readonly FoundRoute[]> {
  const { printRoutes, ready, routes, fetch, middleware, callback, stack, handle } = Object(app)
  if (typeof printRoutes === 'function' && typeof ready === 'function') return fastifyRoutes(app as Parameters<typeof fastifyRoutes>[0])
  if (Array.isArray(routes) && typeof fetch === 'function') return honoRoutes(app as Parameters<typeof honoRoutes>[0])
  const captured = await createCapturedReader()
  if (Array.isArray(middleware) && typeof callback === 'function') return koaRoutes(app as Parameters<typeof koaRoutes>[0], captured)
  if (typeof handle === 'function' && (Array.isArray(stack) || 'set' in app)) return expressRoutes(app, captured)
  throw unknownApp()
}

function namesIn(routes: readonly FoundRoute[]): readonly string[] {
  return [...new Set(routes.filter(({ guarded }) => !guarded).flatMap(namesOf))]
}

// Express applications and routers are functions, too.
function isMaker(app: unknown): app is Layer & (() => MaybePromise<object>) {
  return typeof app === 'function' && !('handle' in app)
}

function unknownApp(): InvalidInputError {
  return new InvalidInputError('app', 'must be an application of Express, Koa, Fastify, Hono or Nest, or a function that creates one')
}
