import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request, Response } from 'express'
import { endpointName } from '../../src/activity/endpoint-name.js'
import { createGuard, type GuardOutcome } from '../../src/http/authenticate.js'
import { markGuard } from '../../src/http/guard-marks.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import type { Platform } from '../../src/http/request.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { tellRoute } from '../../src/http/tell-route.js'
import { createTrustCheck } from '../../src/http/trust-check.js'
import type { Authenticator, Latchkey } from '../../src/instance.js'
import type { ManagementOptions as Manage } from '../../src/management/index.js'
import { pathIn } from '../../src/management/target.js'
import type { Actor } from '../../src/model/actor.js'
import type { MaybePromise } from '../../src/model/json.js'
import type { Principal, ScopeName } from '../../src/model/principal.js'
import { isThenable } from '../../src/store/deadline.js'
import { onClose } from './node/close.js'
import { addressOf } from './node/fetch.js'
import { manage, openManagement } from './node/management.js'
import { mountPattern } from './node/mount-pattern.js'
import { expressBelievesCallers } from './node/trust.js'

declare global {
  namespace Express {
    interface Request {
      /** Who the token speaks for: set by `authenticate`, absent where it is optional and no token was sent. */
      principal?: Principal<ScopeName>
    }
  }
}

/** Middleware for Express. It asks nothing of the types of a request, so those of the handler behind it are inferred as without it. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** The options of `authenticate` on Express. */
export type AuthenticateOptions = Options<Request>

/** The options of `management` on Express. */
export type ManagementOptions = Manage & {
  /** Says who is asking: an actor, or nothing where nobody is signed in. */
  readonly actor: (req: Request) => MaybePromise<Actor | undefined | null | false>
}

const platform: Platform<Request> = {
  read: (req) => ({ method: req.method, headers: req.rawHeaders, ip: req.ip }),
  trustsProxy: (req) => Boolean(req.app.get('trust proxy')),
  believesCallers: (req) => expressBelievesCallers(req.app),
}

/**
 * Middleware that lets in only requests with a good token, and sets `req.principal`.
 *
 * The client's address is `req.ip`, so it follows the app's `trust proxy` setting.
 *
 * @throws InvalidInputError `invalid_input` when an option is unknown or unsound.
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
    const own = { value: principal, writable: true, enumerable: true, configurable: true }
    if (!Reflect.defineProperty(req, 'principal', own)) {
      tellRoute(guard, 'LATCHKEY_W015', guard.onWarning, { route: endpointOf(req) })
      return guard.refuse('misconfigured', req)
    }
    if (guard.vary !== undefined && !res.headersSent) res.vary(guard.vary)
    if (use !== undefined) onClose(res, () => use.over(endpointOf(req), principal))
    return undefined
  }

  function authenticateRequest(incoming: IncomingMessage, outgoing: ServerResponse, next: (error?: unknown) => void): void {
    const [req, res] = onExpress(incoming, outgoing)
    const outcome = decide(req)
    if (isThenable(outcome)) void outcome.then((settled) => proceed(admitAs(settled, req, res), res, next))
    else proceed(admitAs(outcome, req, res), res, next)
  }
  return guard.optional ? authenticateRequest : markGuard(authenticateRequest)
}

/**
 * Middleware that lets an authenticated request through only with all of these scopes (or any, with `{ any: [...] }`) and for these resources.
 *
 * @throws InvalidInputError `invalid_input` when the arguments are unsound.
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
    const [req, res] = onExpress(incoming, outgoing)
    const refusal = check(req)
    if (isThenable(refusal)) void refusal.then((settled) => proceed(settled, res, next))
    else proceed(refusal, res, next)
  })
}

/**
 * Middleware that protects one route in one line: `authenticate` with its defaults, then `requireScopes`.
 *
 * @throws InvalidInputError `invalid_input` when the arguments are unsound.
 * @example
 * ```ts
 * app.get('/stock', protect(tokens, 'inventory:read'), handler)
 * ```
 */
export function protect<const First extends FirstInput, const Rest extends RestInput<First, Request>>(
  tokens: Authenticator,
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): Middleware {
  const enter = authenticate(tokens)
  const check = requireScopes(...args)
  return markGuard(function protectRequest(incoming, outgoing, next) {
    enter(incoming, outgoing, () => check(incoming, outgoing, next))
  })
}

/**
 * Handler for the management API, under whatever path it is mounted on. A body parser may stand before it.
 *
 * @throws InvalidInputError `invalid_input` when an option is unknown or unsound.
 * @example
 * ```ts
 * app.use('/admin/tokens', management(tokens, { actor: (req) => currentUser(req) }))
 * ```
 */
export function management(tokens: Latchkey, options: ManagementOptions): Middleware {
  const api = openManagement(tokens, options)
  const checkTrust = createTrustCheck(platform.believesCallers)
  return markGuard(async function manageTokens(incoming, outgoing) {
    const [req, res] = onExpress(incoming, outgoing)
    checkTrust(req)
    // Express adds the slash that a request to the mount path itself lacks; the page's links depend on it.
    const path = pathIn(req.originalUrl).split('?')[0] === req.baseUrl ? pathIn(req.url).slice(1) : pathIn(req.url)
    const url = addressOf({ headers: req.headers, protocol: req.protocol, hostname: req.hostname ?? 'localhost', path: req.baseUrl + path })
    const arrival = { incoming: req, url, mountPath: req.baseUrl, ip: req.ip, parsedBody: req.body }
    const { status, headers, body } = await manage(api, req, arrival)
    res.writeHead(status, headers).end(body)
  })
}

// Express makes its requests and responses out of these very objects.
function onExpress(req: IncomingMessage, res: ServerResponse): readonly [Request, Response] {
  return [req as Request, res as Response]
}

function proceed(refusal: PlainResponse | undefined, res: Response, next: () => void): void {
  if (refusal === undefined) next()
  else send(res, refusal)
}

function send(res: Response, response: PlainResponse): void {
  // Somebody has begun an answer already: cutting it off is the only refusal left.
  if (res.headersSent) return void res.destroy()
  res.statusCode = response.status
  for (const [name, value] of Object.entries(response.headers)) res.setHeader(name, value)
  res.setHeader('content-length', Buffer.byteLength(response.body))
  res.end(response.body)
}

// The pattern that matched, never the path that was asked for.
function endpointOf(req: Request): string {
  const path: unknown = req.route?.path
  const mount = typeof path === 'string' ? mountPattern(req.app, req.baseUrl) : undefined
  return mount === undefined ? '' : endpointName(req.method, String(path), mount)
}
