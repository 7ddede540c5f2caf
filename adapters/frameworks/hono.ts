import { type Context, type Handler, Hono, type MiddlewareHandler } from 'hono'
import { basePath, baseRoutePath, routePath } from 'hono/route'
import { endpointName } from '../../src/activity/endpoint-name.js'
import { InvalidInputError } from '../../src/errors.js'
import { admissionOf } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { markGuard } from '../../src/http/guard-marks.js'
import { checkWaitUntil, handOver } from '../../src/http/hand-over.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import { checkOptions, type AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { watchedBody } from '../../src/http/watched-body.js'
import { type Authenticator, deciderOf, type Latchkey } from '../../src/instance.js'
import { checkActor } from '../../src/management/check-actor.js'
import { createManagement, type ManagementOptions as Manage } from '../../src/management/index.js'
import type { Actor } from '../../src/model/actor.js'
import type { MaybePromise } from '../../src/model/json.js'
import type { Principal, ScopeName } from '../../src/model/principal.js'
import { detached } from '../../src/policy/option-reader.js'
import { isThenable } from '../../src/store/deadline.js'
import { endRequest, endRequestWith, hasSignal } from '../../src/verify/principal.js'
import { onClose } from './node/close.js'
import { hasBody, type Sent } from './node/has-body.js'
import { withVary } from './node/vary.js'

declare module 'hono' {
  interface ContextVariableMap {
    /** The principal behind the token. Set by `authenticate`; `undefined` if the token is optional and none was sent. */
    principal: Principal<ScopeName> | undefined
  }
}

/** The options of `authenticate` on Hono. */
export type AuthenticateOptions = Options<Context> & {
  /**
   * Returns the client's address. Hono itself does not provide one: on Node, use `(c) => getConnInfo(c).remote.address`; behind a proxy, read the
   * header that the proxy sets. Without this option, tokens that are limited to addresses are refused.
   */
  readonly ip?: ((c: Context) => string | undefined) | undefined
  /**
   * Hands work that outlives the response, such as writing the token's use, to the platform: `(work, c) => c.executionCtx.waitUntil(work)` on
   * Workers, which stop a process soon after its response. @default written about once a second
   */
  readonly waitUntil?: ((work: Promise<unknown>, c: Context) => unknown) | undefined
}

/** The options of `management` on Hono. */
export type ManagementOptions = Manage & {
  /** Returns the actor who makes the request, or nothing if no one is signed in. */
  readonly actor: (c: Context) => MaybePromise<Actor | undefined | null | false>
  /** Returns the client's address, for the audit log. */
  readonly ip?: ((c: Context) => string | undefined) | undefined
  /** Same as for `authenticate`. */
  readonly waitUntil?: ((work: Promise<unknown>, c: Context) => unknown) | undefined
}

/**
 * Creates middleware that accepts only requests with a valid token, and sets the variable `principal`.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * app.use('/api/*', authenticate(tokens))
 * ```
 */
export function authenticate(tokens: Authenticator, given: AuthenticateOptions = {}): MiddlewareHandler {
  deciderOf(tokens, 'authenticate(tokens)')
  checkOptions(given)
  const { ip, waitUntil, ...options } = detached(given, ['ip', 'waitUntil'])
  checkWaitUntil(waitUntil)
  const decide = createGuard<Context>(tokens, options, {
    read: (c) => ({
      method: c.req.method,
      headers: c.req.raw.headers,
      ip: ip?.(c),
    }),
    host: (c) => new URL(c.req.url).host,
    isSecure: (c) => new URL(c.req.url).protocol === 'https:',
    headers: (c) => c.req.raw.headers,
    trustsProxy: () => undefined,
  })
  const { vary, optional, decider, secretsOf } = decide.guard
  const leave =
    waitUntil === undefined
      ? () => undefined
      : (c: Context): void => handOver(decider, (work) => waitUntil(work, c), { secrets: () => secretsOf(c) })
  const authenticateRequest: MiddlewareHandler = async (c, next) => {
    checkContext(c)
    const outcome = decide(c)
    const { response, principal, use } = isThenable(outcome) ? await outcome : outcome
    if (response !== undefined) {
      leave(c)
      return toResponse(response)
    }
    const over = use?.follow(endpointOf, c)
    try {
      c.set('principal', principal)
      if (vary !== undefined) c.header('vary', vary, { append: true })
      await next()
    } finally {
      try {
        if (vary !== undefined) keepVary(c, vary)
      } finally {
        over?.()
        leave(c)
        if (principal !== undefined) endWithResponse(c, principal)
      }
    }
  }
  return optional ? authenticateRequest : markGuard(authenticateRequest)
}

/**
 * Creates middleware that allows an authenticated request only if its token has all of these scopes (or any of them, with `{ any: [...] }`) and may access
 * these resources.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * app.get('/api/warehouses/:id', requireScopes('inventory:read', { warehouse: (c) => c.req.param('id') }), handler)
 * ```
 */
export function requireScopes<const First extends FirstInput, const Rest extends RestInput<First, Context>>(
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): MiddlewareHandler {
  const check = createScopeCheck<Context>(args, endpointOf)
  return markGuard(async function requireScopesOfRequest(c, next) {
    const answer = check(c)
    const refusal = isThenable(answer) ? await answer : answer
    if (refusal !== undefined) return toResponse(refusal)
    await next()
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
export function protect<const First extends FirstInput, const Rest extends RestInput<First, Context>>(
  tokens: Authenticator,
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): MiddlewareHandler {
  deciderOf(tokens, 'protect(tokens, scope)')
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
 * Creates an application for the management API; mount it with `route`.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * app.route('/admin/tokens', management(tokens, { actor: (c) => currentUser(c) }))
 * ```
 */
export function management(tokens: Latchkey, given: ManagementOptions): Hono {
  checkActor(tokens, given)
  const { actor, ip, waitUntil, ...options } = detached(given, ['actor', 'ip', 'waitUntil'])
  checkWaitUntil(waitUntil)
  const api = createManagement(tokens, options)
  const manageTokens: Handler = (c) => {
    const mountName = baseRoutePath(c).replace(/\/+$/, '')
    const { principal, use } = admissionOf(c) ?? {}
    const caller = {
      actor: () => actor(c),
      principal,
      use,
      ip: () => ip?.(c),
      mountName: () => mountName,
      ...arrivalOf(c.env),
      waitUntil: waitUntil && ((work: Promise<unknown>) => waitUntil(work, c)),
    }
    return api.fetch(c.req.raw, caller, basePath(c))
  }
  return new Hono().all('/*', markGuard(manageTokens))
}

// The pattern that matched last, never the requested path.
function endpointOf(c: Context): string {
  return endpointName(c.req.method, routePath(c))
}

// Express requests and Koa contexts.
function checkContext(c: object): void {
  const { req } = c as { readonly req?: object }
  if (!('rawHeaders' in c) && !(typeof req === 'object' && 'rawHeaders' in req)) return
  throw new InvalidInputError(
    'request',
    'is not a Hono request: import from latchkey/express, latchkey/koa, latchkey/fastify or latchkey/web',
  )
}

// On Node, the request as it was before it became a `Request`.
function arrivalOf(env: unknown): { readonly target?: string; readonly bodyTaken?: boolean } {
  const incoming: unknown = Reflect.get(Object(env), 'incoming')
  const { url, readableDidRead } = Object(incoming) as { readonly url?: unknown; readonly readableDidRead?: unknown }
  if (typeof url !== 'string') return {}
  return { target: url, bodyTaken: readableDidRead === true && hasBody(incoming as Sent) }
}

/**
 * Ends the request's signal with its response. A handler returns the response long before a stream is over, and that stream may be the first to read the
 * signal.
 *
 * Node reports the end of a response. Elsewhere the end of the body is watched, but only if the signal has already been read or the response declares a
 * stream. Watching every body would slow down plain responses. For other responses, only a disconnect of the client ends the signal.
 */
function endWithResponse(c: Context, principal: Principal): void {
  const { outgoing, incoming } = Object(c.env) as { readonly outgoing?: Closing; readonly incoming?: { readonly socket?: Closing } }
  if (typeof outgoing?.on === 'function') endRequestWith(principal, outgoing, onClose)
  // If an inner guard refused, no handler has responded.
  else if (!c.finalized || c.req.method === 'HEAD' || c.res.status === 204 || c.res.status === 304) endRequest(principal)
  else if (!hasSignal(principal) && !isStream(c.res)) endRequestWith(principal, c.req.raw, onAbort)
  // A response without a body must stay the same object, because platforms use it to recognize that they have already responded or opened a socket.
  else if (c.res.body !== null)
    c.res = new Response(
      watchedBody(c.res.body, () => endRequest(principal)),
      c.res,
    )
  else if (!opensSocket(c)) endRequest(principal)
  else if (typeof incoming?.socket?.on === 'function') endRequestWith(principal, incoming.socket, onClose)
}

type Closing = Parameters<typeof onClose>[0]

function onAbort({ signal }: Request, end: () => void): void {
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
}

function isStream({ headers }: Response): boolean {
  return headers.has('transfer-encoding') || headers.get('content-type')?.startsWith('text/event-stream') === true
}

// A WebSocket outlives its response, which on Node and Bun does not even have status 101. An upgrade header alone does not mean that a WebSocket was opened.
function opensSocket(c: Context): boolean {
  return c.res.status === 101 || (c.res.status === 200 && c.req.header('upgrade')?.toLowerCase() === 'websocket')
}

// Prepared header fields are not applied to a `Response` that a handler creates.
function keepVary(c: Context, vary: string): void {
  const { status, body, headers } = c.res
  // Must not be replaced, because platforms use this object to recognize that they have already responded or opened a socket.
  if (body === null && (status === 200 || status === 101)) return
  const before = headers.get('vary') ?? undefined
  const value = withVary(before, vary)
  if (value === before) return
  try {
    headers.set('vary', value)
  } catch {
    // The header fields of a fetched response or a redirect cannot be changed.
    c.header('vary', value)
  }
}

function toResponse({ status, headers, body }: PlainResponse): Response {
  return new Response(body, { status, headers })
}
