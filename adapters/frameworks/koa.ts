import type { Context, Middleware, Next } from 'koa'
import { endpointName } from '../../src/activity/endpoint-name.js'
import type { GuardOutcome } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { markGuard } from '../../src/http/guard-marks.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import type { Platform } from '../../src/http/request.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { createTrustCheck } from '../../src/http/trust-check.js'
import { undoUse } from '../../src/http/use.js'
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
import { keepVary } from './node/vary.js'

declare module 'koa' {
  interface DefaultState {
    /** The principal behind the token. Set by `authenticate`; `undefined` if the token is optional and none was sent. */
    principal?: Principal<ScopeName> | undefined
  }
}

/** The options of `authenticate` on Koa. */
export type AuthenticateOptions = Options<Context>

/** The options of `management` on Koa. */
export type ManagementOptions = Manage & {
  /** Returns the actor who makes the request, or nothing if no one is signed in. */
  readonly actor: (ctx: Context) => MaybePromise<Actor | undefined | null | false>
}

const platform: Platform<Context> = {
  // `ctx.method` reads the same field, through two getters.
  read: (ctx) => ({ method: ctx.req.method ?? '', headers: ctx.req.rawHeaders, ip: ctx.ip }),
  isSecure: (ctx) => ctx.secure,
  trustsProxy: (ctx) => Boolean(ctx.app.proxy),
  believesCallers: (ctx) => Boolean(ctx.app.proxy) && !(ctx.app.maxIpsCount > 0),
}

/**
 * Creates middleware that accepts only requests with a valid token, and sets `ctx.state.principal`.
 *
 * The client's address is `ctx.ip`, so it follows the app's `proxy` setting.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * router.use(authenticate(tokens))
 * ```
 */
export function authenticate(tokens: Authenticator, options: AuthenticateOptions = {}): Middleware {
  const decide = createGuard(tokens, options, platform)
  const { vary, optional } = decide.guard
  function proceed({ response, principal, use }: GuardOutcome, ctx: Context, next: Next): unknown {
    if (response !== undefined) return send(ctx, response)
    try {
      ctx.state.principal = principal
      if (vary !== undefined) {
        ctx.vary(vary)
        keepVary(ctx.res, vary)
      }
      followUse(use, ctx.res, endpointOf, ctx, principal)
    } catch (error) {
      undoUse(use)
      throw error
    }
    return next()
  }
  function authenticateRequest(ctx: Context, next: Next): unknown {
    const outcome = decide(ctx)
    return isThenable(outcome) ? proceedLate(outcome, ctx, next) : proceed(outcome, ctx, next)
  }
  function proceedLate(outcome: PromiseLike<GuardOutcome>, ctx: Context, next: Next): unknown {
    return outcome.then((settled) => proceed(settled, ctx, next))
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
 * router.get('/warehouses/:id', requireScopes('inventory:read', { warehouse: (ctx) => ctx.params.id }), handler)
 * ```
 */
export function requireScopes<const First extends FirstInput, const Rest extends RestInput<First, Context>>(
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): Middleware {
  const check = createScopeCheck<Context>(args, endpointOf)
  const proceed = (refusal: PlainResponse | undefined, ctx: Context, next: Next): unknown =>
    refusal === undefined ? next() : send(ctx, refusal)
  const proceedLate = (refusal: PromiseLike<PlainResponse | undefined>, ctx: Context, next: Next): unknown =>
    refusal.then((settled) => proceed(settled, ctx, next))
  return markGuard(function requireScopesOfRequest(ctx: Context, next: Next) {
    const refusal = check(ctx)
    return isThenable(refusal) ? proceedLate(refusal, ctx, next) : proceed(refusal, ctx, next)
  })
}

/**
 * Creates middleware that protects one route in one line: `authenticate` with the defaults, followed by `requireScopes`.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * router.get('/stock', protect(tokens, 'inventory:read'), handler)
 * ```
 */
export function protect<const First extends FirstInput, const Rest extends RestInput<First, Context>>(
  tokens: Authenticator,
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): Middleware {
  deciderOf(tokens, 'protect(tokens, scope)')
  const enter = authenticate(tokens)
  const check = requireScopes(...args)
  return markGuard(function protectRequest(ctx: Context, next: Next) {
    return enter(ctx, () => check(ctx, next))
  })
}

/**
 * Creates middleware for the management API, for use with koa-mount, or with `@koa/router` under a pattern that ends with a wildcard. A body parser may run
 * before it.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * app.use(mount('/admin/tokens', management(tokens, { actor: (ctx) => currentUser(ctx) })))
 * router.all('/orgs/:org/tokens{/*rest}', management(tokens, { actor: (ctx) => currentUser(ctx) }))
 * ```
 */
export function management(tokens: Latchkey, options: ManagementOptions): Middleware {
  const api = openManagement(tokens, options)
  const checkTrust = createTrustCheck(platform.believesCallers)
  return markGuard(async function manageTokens(ctx: Context) {
    checkTrust(ctx)
    const { status, headers, body } = await manage(api, ctx, ctx.req, () => {
      const base = mountPathOf(ctx)
      const route = routeOf(ctx)
      const known: unknown = Reflect.get(ctx, 'mountPath')
      // For a request to the mount path itself, koa-mount adds a slash. It is removed, because the page's links depend on the original path.
      const path = pathOf(ctx.originalUrl) === base ? pathIn(ctx.url).slice(1) : pathIn(ctx.url)
      const url = addressOf({ headers: ctx.req.headers, protocol: ctx.protocol, hostname: ctx.hostname, path: base + path })
      return {
        url,
        mountPath: base + route.path,
        mountName: () => {
          const name = mountNameOf(base, known)
          return name === undefined ? undefined : name + route.name
        },
        target: ctx.originalUrl,
        ip: ctx.ip,
        parsedBody: Reflect.get(ctx.request, 'body'),
      }
    })
    ctx.status = status
    ctx.body = body
    ctx.set(headers)
  })
}

// koa-mount strips its path from the URL and leaves `originalUrl` unchanged.
function mountPathOf(ctx: Context): string {
  const original = pathIn(ctx.originalUrl).replace(/[?#].*$/s, '')
  if (original.endsWith(ctx.path)) return original.slice(0, original.length - ctx.path.length)
  return ctx.path === '/' ? original : ''
}

/** A route of `@koa/router` that matched. */
type Layer = {
  readonly path: unknown
  match(path: string): boolean
  captures(path: string): string[]
  params(path: string, captures: string[]): { readonly [name: string]: unknown }
}

/** The wildcard at the end of a pattern, and its name. */
const REST = /\/\*(\w+)\}?$/

// @koa/router leaves the path unchanged. If the pattern of a route ends with a wildcard, the API is mounted on the part before it. But if koa-mount changed
// the path after that match, koa-mount's path counts.
function routeOf(ctx: Context): { readonly path: string; readonly name: string } {
  const { _matchedRoute: pattern, matched = [] } = ctx as { readonly _matchedRoute?: unknown; readonly matched?: readonly Layer[] }
  const { path } = ctx
  const layer = matched.findLast((each) => each.path === pattern && each.match(path))
  const [end, name = ''] = REST.exec(typeof pattern === 'string' ? pattern : '') ?? []
  if (layer === undefined || typeof pattern !== 'string' || end === undefined) return { path: '', name: '' }
  const params = layer.params(path, layer.captures(path))
  const rest = Object.hasOwn(params, name) ? String(params[name]) : ''
  // No path of the API contains percent-encoding.
  const before = path.endsWith(rest) ? path.slice(0, path.length - rest.length).replace(/\/+$/, '') : ''
  return { path: before, name: before === '' ? '' : pattern.replace(/\{?\/\*\w+\}?$/, '') }
}

// koa-mount leaves its own path in the context. If other middleware removed a part of the path first, the caller may have chosen that part.
function mountNameOf(mountPath: string, known: unknown): string | undefined {
  if (mountPath === '') return ''
  const own = typeof known === 'string' ? known.replace(/\/+$/, '') : ''
  if (own === '' || !mountPath.endsWith(own)) return undefined
  return mountPath === own ? own : `/*${own}`
}

function send(ctx: Context, response: PlainResponse): void {
  // A response has already started, so the only way to refuse is to cut it off.
  if (ctx.headerSent) return void ctx.res.destroy()
  ctx.status = response.status
  ctx.body = response.body
  ctx.set(response.headers)
}

// `_matchedRoute` is set by @koa/router: the pattern that matched, never the requested path.
function endpointOf(ctx: Context): string {
  const { _matchedRoute: path } = ctx as { readonly _matchedRoute?: unknown }
  return typeof path === 'string' ? endpointName(ctx.req.method ?? '', path) : ''
}
