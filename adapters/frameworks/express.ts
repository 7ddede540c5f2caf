import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request, Response } from 'express'
import { endpointName } from '../../src/activity/endpoint-name.js'
import { InvalidInputError } from '../../src/errors.js'
import type { GuardOutcome } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { markGuard } from '../../src/http/guard-marks.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import type { Platform } from '../../src/http/request.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { tellRoute } from '../../src/http/tell-route.js'
import { createTrustCheck } from '../../src/http/trust-check.js'
import { type Authenticator, deciderOf, type Latchkey } from '../../src/instance.js'
import type { ManagementOptions as Manage } from '../../src/management/index.js'
import { pathIn, pathOf } from '../../src/management/target.js'
import type { Actor } from '../../src/model/actor.js'
import type { MaybePromise } from '../../src/model/json.js'
import type { Principal, ScopeName } from '../../src/model/principal.js'
import { isThenable } from '../../src/store/deadline.js'
import { addressOf } from './node/fetch.js'
import { followUse } from './node/follow-use.js'
import { manage, openManagement } from './node/management.js'
import { mountOfRoute, type Route } from './node/mount-of-route.js'
import { mountPattern } from './node/mount-pattern.js'
import { expressBelievesCallers } from './node/trust.js'
import { keepVary, withVary } from './node/vary.js'

declare global {
  namespace Express {
    interface Request {
      /** The principal behind the token. Set by `authenticate`; absent if the token is optional and none was sent. */
      principal?: Principal<ScopeName>
    }
  }
}

/** Middleware for Express. It does not constrain the request types, so the types of the next handler are inferred as usual. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** The options of `authenticate` on Express. */
export type AuthenticateOptions = Options<Request>

/** The options of `management` on Express. */
export type ManagementOptions = Manage & {
  /** Returns the actor who makes the request, or nothing if no one is signed in. */
  readonly actor: (req: Request) => MaybePromise<Actor | undefined | null | false>
}

const platform: Platform<Request> = {
  read: (req, rawHeaders = req.rawHeaders) => ({ method: req.method, headers: rawHeaders, ip: req.ip }),
  isSecure: (req) => req.secure,
  trustsProxy: (req) => Boolean(appOf(req)?.get('trust proxy')),
  believesCallers: (req) => expressBelievesCallers(appOf(req)),
}

/**
 * Creates middleware that accepts only requests with a valid token, and sets `req.principal`.
 *
 * The client's address is `req.ip`, so it follows the app's `trust proxy` setting.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * app.use('/api', authenticate(tokens))
 * ```
 */
export function authenticate(tokens: Authenticator, options: AuthenticateOptions = {}): Middleware {
  const decide = createGuard(tokens, options, platform)
  const { guard } = decide

  function admitAs(outcome: GuardOutcome, req: Request, res: Response): PlainResponse | undefined {
    const { principal, use, response } = outcome
    if (response !== undefined) return response
    if (!setPrincipal(req, principal)) {
      tellRoute(guard, 'LATCHKEY_W015', guard.onWarning, { route: endpointOf(req) })
      return guard.refuse('misconfigured', req)
    }
    if (guard.vary !== undefined && !res.headersSent) {
      res.setHeader('vary', withVary(res.getHeader('vary'), guard.vary))
      keepVary(res, guard.vary)
    }
    followUse(use, res, endpointOf, req, principal)
    return undefined
  }

  const enter = (outcome: GuardOutcome, req: Request, res: Response, next: () => void): void =>
    proceed(guard.admitBy(admitAs, outcome, req, res), res, next)

  const enterLate = (outcome: PromiseLike<GuardOutcome>, req: Request, res: Response, next: () => void): void =>
    void outcome.then((settled) => enter(settled, req, res, next))

  function authenticateRequest(incoming: IncomingMessage, outgoing: ServerResponse, next: (error?: unknown) => void): void {
    const rawHeaders = rawHeadersOf(incoming)
    const req = incoming as Request
    const res = outgoing as Response
    const outcome = decide(req, rawHeaders)
    if (isThenable(outcome)) enterLate(outcome, req, res, next)
    else enter(outcome, req, res, next)
  }
  return guard.optional ? authenticateRequest : markGuard(authenticateRequest)
}

/**
 * Creates middleware that allows an authenticated request only if its token has all of these scopes (or any of them, with `{ any: [...] }`) and may access
 * these resources.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * app.get('/api/warehouses/:id', requireScopes('inventory:read', { warehouse: (req) => req.params.id }), handler)
 * ```
 */
export function requireScopes<const First extends FirstInput, const Rest extends RestInput<First, Request>>(
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): Middleware {
  const check = createScopeCheck<Request>(args, endpointOf)

  return markGuard(function requireScopesOfRequest(incoming, outgoing, next) {
    const rawHeaders = rawHeadersOf(incoming)
    const refusal = check(incoming as Request, rawHeaders)
    const res = outgoing as Response
    if (isThenable(refusal)) proceedLate(refusal, res, next)
    else proceed(refusal, res, next)
  })
}

/**
 * Creates middleware that protects one route in one line: `authenticate` with the defaults, followed by `requireScopes`.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * app.get('/stock', protect(tokens, 'inventory:read'), handler)
 * ```
 */
export function protect<const First extends FirstInput, const Rest extends RestInput<First, Request>>(
  tokens: Authenticator,
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): Middleware {
  deciderOf(tokens, 'protect(tokens, scope)')
  const enter = authenticate(tokens)
  const check = requireScopes(...args)
  return markGuard(function protectRequest(incoming, outgoing, next) {
    enter(incoming, outgoing, () => check(incoming, outgoing, next))
  })
}

/**
 * Creates a handler for the management API. Mount it on any path. A body parser may run before it.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * app.use('/admin/tokens', management(tokens, { actor: (req) => currentUser(req) }))
 * ```
 */
export function management(tokens: Latchkey, options: ManagementOptions): Middleware {
  const api = openManagement(tokens, options)
  const checkTrust = createTrustCheck(platform.believesCallers)
  return markGuard(async function manageTokens(incoming, outgoing) {
    // Refuses the request of another framework. Express extends Node's objects in place.
    rawHeadersOf(incoming)
    const req = incoming as Request
    const res = outgoing as Response
    checkTrust(req)
    const { status, headers, body } = await manage(api, req, req, () => {
      // For a request to the mount path itself, Express adds a slash. It is removed, because the page's links depend on the original path.
      const path = pathOf(req.originalUrl) === req.baseUrl ? pathIn(req.url).slice(1) : pathIn(req.url)
      const { baseUrl, protocol, hostname = 'localhost' } = req
      return {
        url: addressOf({ headers: req.headers, protocol, hostname, path: baseUrl + path }),
        mountPath: baseUrl,
        mountName: () => mountNameOf(req, baseUrl),
        target: req.originalUrl,
        ip: req.ip,
        parsedBody: req.body,
      }
    })
    // The request was already answered because the store or the callback took too long.
    if (!res.headersSent) res.writeHead(status, headers).end(body)
    else if (!res.writableEnded) res.destroy()
  })
}

/**
 * Returns the list of header fields of a request.
 *
 * Express replaces the prototype of each request and response, so each gets a hidden class of its own in V8, and each access to a property takes a third of a
 * microsecond or more. Requests that pass a guard and a check therefore read as little as possible, and nothing twice.
 *
 * @throws InvalidInputError `invalid_input` for the request of another framework
 */
function rawHeadersOf(req: IncomingMessage): readonly string[] | undefined {
  const { rawHeaders } = req as { readonly rawHeaders?: readonly string[] }
  // Koa and Hono contexts, and Fastify requests. A host's unit test can pass any other object.
  if (rawHeaders === undefined && ('req' in req || 'raw' in req)) {
    throw new InvalidInputError(
      'request',
      'is not an Express request: import from latchkey/koa, latchkey/fastify, latchkey/hono or latchkey/web',
    )
  }
  return rawHeaders
}

/**
 * Makes the principal an own property of the request; returns `false` if it cannot.
 *
 * `Reflect.defineProperty` would also work, but on a request with as many properties as Express adds, it switches the object to dictionary mode and
 * slows down every later access.
 */
function setPrincipal(req: Request, principal: Principal | undefined): boolean {
  if ('principal' in req || !Object.isExtensible(req)) {
    return Reflect.defineProperty(req, 'principal', { value: principal, writable: true, enumerable: true, configurable: true })
  }
  const plain: { principal?: Principal | undefined } = req
  plain.principal = principal
  return true
}

function proceed(refusal: PlainResponse | undefined, res: Response, next: () => void): void {
  if (refusal === undefined) next()
  else send(res, refusal)
}

function proceedLate(refusal: PromiseLike<PlainResponse | undefined>, res: Response, next: () => void): void {
  void refusal.then((settled) => proceed(settled, res, next))
}

function send(res: Response, response: PlainResponse): void {
  // A response has already started, so the only way to refuse is to cut it off.
  if (res.headersSent) return void res.destroy()
  res.statusCode = response.status
  for (const [name, value] of Object.entries(response.headers)) res.setHeader(name, value)
  res.setHeader('content-length', Buffer.byteLength(response.body))
  res.end(response.body)
}

/** Returns the application; a bare `Router` has none. The prototype, which all requests of an application share, is faster to read than the request. */
function appOf(req: Request): Request['app'] | undefined {
  const shared: { readonly app?: Request['app'] } = Object(Object.getPrototypeOf(req))
  return shared.app ?? req.app
}

// The pattern that matched, never the requested path.
function endpointOf(req: Request): string {
  const route: Route | undefined = req.route
  const app = appOf(req)
  const mount = app && mountOfRoute(app, route, req)
  return mount === undefined ? '' : endpointName(req.method, String(route?.path), mount)
}

function mountNameOf(req: Request, baseUrl: string): string | undefined {
  const app = appOf(req)
  return app && mountPattern(app, baseUrl, 'handler')
}
