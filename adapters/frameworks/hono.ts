import { type Context, type Handler, Hono, type MiddlewareHandler } from 'hono'
import { basePath, routePath } from 'hono/route'
import { endpointName } from '../../src/activity/endpoint-name.js'
import { detachSignal, hasSignal } from '../../src/cache/signals.js'
import { InvalidInputError } from '../../src/errors.js'
import { admissionOf } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { markGuard } from '../../src/http/guard-marks.js'
import { checkWaitUntil, handOver } from '../../src/http/hand-over.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { watchedBody } from '../../src/http/watched-body.js'
import type { Authenticator, Latchkey } from '../../src/instance.js'
import { createManagement, type ManagementOptions as Manage } from '../../src/management/index.js'
import type { Actor } from '../../src/model/actor.js'
import type { MaybePromise } from '../../src/model/json.js'
import type { Principal, ScopeName } from '../../src/model/principal.js'
import { isThenable } from '../../src/store/deadline.js'
import { hasBody, type Sent } from './node/has-body.js'

declare module 'hono' {
  interface ContextVariableMap {
    /** Who the token speaks for: set by `authenticate`, `undefined` where it is optional and no token was sent. */
    principal: Principal<ScopeName> | undefined
  }
}

/** The options of `authenticate` on Hono. */
export type AuthenticateOptions = Options<Context> & {
  /**
   * Gives the client's address. Hono runs where there is no such thing, so it must be said: on Node `(c) => getConnInfo(c).remote.address`,
   * behind a proxy the header that the proxy sets. Without it, tokens that are limited to addresses are refused.
   */
  readonly ip?: ((c: Context) => string | undefined) | undefined
  /**
   * Hands to the platform what a request leaves to write, such as its use: `(work, c) => c.executionCtx.waitUntil(work)` on Workers, which stop a process
   * soon after its response. @default it is written about once a second
   */
  readonly waitUntil?: ((work: Promise<unknown>, c: Context) => unknown) | undefined
}

/** The options of `management` on Hono. */
export type ManagementOptions = Manage & {
  /** Says who is asking: an actor, or nothing where nobody is signed in. */
  readonly actor: (c: Context) => MaybePromise<Actor | undefined | null | false>
  /** Gives the client's address, for the audit. */
  readonly ip?: ((c: Context) => string | undefined) | undefined
  /** As for `authenticate`. */
  readonly waitUntil?: ((work: Promise<unknown>, c: Context) => unknown) | undefined
}

/**
 * Middleware that lets in only requests with a good token, and sets the variable `principal`.
 *
 * @throws InvalidInputError `invalid_input` when an option is unknown or unsound.
 * @example
 * ```ts
 * app.use('/api/*', authenticate(tokens))
 * ```
 */
export function authenticate(tokens: Authenticator, given: AuthenticateOptions = {}): MiddlewareHandler {
  if (typeof given !== 'object' || given === null) throw new InvalidInputError('options', 'must be an object')
  const { ip, waitUntil, ...options } = given
  checkWaitUntil(waitUntil)
  const decide = createGuard<Context>(tokens, options, {
    read: (c) => ({
      method: c.req.method,
      headers: c.req.raw.headers,
      ip: ip?.(c),
      host: () => new URL(c.req.url).host,
    }),
    trustsProxy: () => undefined,
  })
  const { vary, optional, decider } = decide.guard
  const leave = (c: Context): void => handOver(decider, waitUntil && ((work) => waitUntil(work, c)))
  const authenticateRequest: MiddlewareHandler = async (c, next) => {
    const outcome = decide(c)
    const { response, principal, use } = isThenable(outcome) ? await outcome : outcome
    if (response !== undefined) {
      leave(c)
      return toResponse(response)
    }
    c.set('principal', principal)
    if (vary !== undefined) c.header('vary', vary, { append: true })
    try {
      await next()
    } finally {
      // The pattern that matched last, never the path that was asked for.
      use?.done(endpointName(c.req.method, routePath(c)))
      leave(c)
      if (principal !== undefined && hasSignal(principal)) c.res = detachedAtEnd(c.res, principal)
    }
  }
  return optional ? authenticateRequest : markGuard(authenticateRequest)
}

/**
 * Middleware that lets an authenticated request through only with all of these scopes (or any, with `{ any: [...] }`) and for these resources.
 *
 * @throws InvalidInputError `invalid_input` when the arguments are unsound.
 * @example
 * ```ts
 * app.get('/api/warehouses/:id', requireScopes('inventory:read', { warehouse: (c) => c.req.param('id') }), handler)
 * ```
 */
export function requireScopes<const First extends FirstInput, const Rest extends RestInput<First, Context>>(
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): MiddlewareHandler {
  const check = createScopeCheck<Context>(args, (c) => endpointName(c.req.method, routePath(c)))
  return markGuard(async function requireScopesOfRequest(c, next) {
    const answer = check(c)
    const refusal = isThenable(answer) ? await answer : answer
    if (refusal !== undefined) return toResponse(refusal)
    await next()
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
export function protect<const First extends FirstInput, const Rest extends RestInput<First, Context>>(
  tokens: Authenticator,
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): MiddlewareHandler {
  const enter = authenticate(tokens)
  const check = requireScopes(...args)
  return markGuard(async function protectRequest(c, next) {
    let refusal: Response | undefined
    const response = await enter(c, async () => {
      refusal = (await check(c, next)) ?? undefined
    })
    return response ?? refusal
  })
}

/**
 * Application for the management API, to be mounted by `route`.
 *
 * @throws InvalidInputError `invalid_input` when an option is unknown or unsound.
 * @example
 * ```ts
 * app.route('/admin/tokens', management(tokens, { actor: (c) => currentUser(c) }))
 * ```
 */
export function management(tokens: Latchkey, given: ManagementOptions): Hono {
  const { actor, ip, waitUntil, ...options } = Object(given) as ManagementOptions
  checkWaitUntil(waitUntil)
  if (typeof actor !== 'function') throw new InvalidInputError('actor', 'must be a function that says who is asking')
  const api = createManagement(tokens, options)
  const manageTokens: Handler = (c) => {
    const caller = {
      actor: () => actor(c),
      principal: admissionOf(c)?.principal,
      ip: () => ip?.(c),
      ...arrivalOf(c.env),
      waitUntil: waitUntil && ((work: Promise<unknown>) => waitUntil(work, c)),
    }
    return api.fetch(c.req.raw, caller, basePath(c))
  }
  return new Hono().all('/*', markGuard(manageTokens))
}

// On Node, what the request was before a `Request` was made of it.
function arrivalOf(env: unknown): { readonly target?: string; readonly bodyTaken?: boolean } {
  const incoming: unknown = Reflect.get(Object(env), 'incoming')
  const { url, readableDidRead } = Object(incoming) as { readonly url?: unknown; readonly readableDidRead?: unknown }
  if (typeof url !== 'string') return {}
  return { target: url, bodyTaken: readableDidRead === true && hasBody(incoming as Sent) }
}

// A handler answers long before a stream is over, and a socket (101) has no body that would tell.
function detachedAtEnd(response: Response, principal: Principal): Response {
  if (response.status === 101) return response
  if (response.body !== null)
    return new Response(
      watchedBody(response.body, () => detachSignal(principal)),
      response,
    )
  detachSignal(principal)
  return response
}

function toResponse({ status, headers, body }: PlainResponse): Response {
  return new Response(body, { status, headers })
}
