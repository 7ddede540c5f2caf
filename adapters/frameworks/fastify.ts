import type {
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  onRequestHookHandler,
  preParsingHookHandler,
} from 'fastify'
import { endpointName } from '../../src/activity/endpoint-name.js'
import { InvalidInputError, LatchkeyError } from '../../src/errors.js'
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
import { isRequest } from '../../src/policy/misgiven.js'
import { detached } from '../../src/policy/option-reader.js'
import { isThenable } from '../../src/store/deadline.js'
import { addressOf } from './node/fetch.js'
import { followUse } from './node/follow-use.js'
import { manage, openManagement } from './node/management.js'
import { fastifyBelievesCallers } from './node/trust.js'
import { keepVary, withVary } from './node/vary.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The principal behind the token. Set by `authenticate`; `undefined` if the token is optional and none was sent. */
    principal?: Principal<ScopeName> | undefined
  }
}

/** The options of `authenticate` on Fastify. */
export type AuthenticateOptions = Options<FastifyRequest> & { readonly tokens: Authenticator }

/** The options of `management` on Fastify; `prefix` is Fastify's own. */
export type ManagementOptions = Manage & {
  readonly tokens: Latchkey
  readonly prefix?: string
  /** Returns the actor who makes the request, or nothing if no one is signed in. */
  readonly actor: (request: FastifyRequest) => MaybePromise<Actor | undefined | null | false>
}

/**
 * A hook for `onRequest`, or any later hook of a route. It does not constrain the request types, so it works with HTTP/2 and with any route's types.
 */
export type ScopeHook = (request: object, reply: object, done: HookHandlerDoneFunction) => void

const platform: Platform<FastifyRequest> = {
  read: (request) => ({ method: request.method, headers: request.raw.rawHeaders, ip: request.ip }),
  isSecure: (request) => request.protocol === 'https',
  // Fastify sets `ips` on a request only if `trustProxy` is set.
  trustsProxy: (request) => request.ips !== undefined,
  believesCallers: fastifyBelievesCallers,
}

// Async, because Fastify cannot catch an exception from a callback-style plugin.
const plugin: FastifyPluginAsync<AuthenticateOptions> = async function authenticate(app, given) {
  checkRegistered(app, given, 'authenticate', '{ tokens }')
  const { tokens, ...options } = detached(given, ['tokens'])
  if ('prefix' in options) {
    throw new InvalidInputError(
      'prefix',
      'unknown option: it would not limit which routes are guarded; register authenticate inside a plugin that has the prefix',
    )
  }
  const enter = createEntrance(tokens, options)
  if (!app.hasRequestDecorator('principal')) app.decorateRequest('principal', undefined)
  const authenticateRequest: onRequestHookHandler = (request, reply, done) => enter(request, reply, done)
  app.addHook('onRequest', options.optional === true ? authenticateRequest : markGuard(authenticateRequest))
}

// Throws if the plugin was called directly, as on other frameworks, or if the instance was passed in place of the options.
function checkRegistered(app: object, options: object, name: string, write: string): void {
  if ('addHook' in Object(app) && 'tokens' in Object(options)) return
  const message = `is a plugin: app.register(${name}, ${write})`
  if (isRequest(app)) throw new LatchkeyError('misconfigured', `${name}: ${message}`, { field: name })
  throw new InvalidInputError(name, message)
}

// The result of `protect` or `requireScopes` was registered. Fastify cannot catch an exception from a callback-style plugin.
function refuseRegistered(done: HookHandlerDoneFunction): void {
  done(new InvalidInputError('register', 'the guard is a hook: app.get(path, { onRequest: protect(tokens, scope) }, handler)'))
}

function createEntrance(
  tokens: Authenticator,
  options: Options<FastifyRequest>,
): (request: FastifyRequest, reply: FastifyReply, done: () => void) => void {
  const decide = createGuard(tokens, options, platform)
  const { guard } = decide
  const { vary } = guard

  function admitAs(outcome: GuardOutcome, request: FastifyRequest, reply: FastifyReply): PlainResponse | undefined {
    const { principal, use, response } = outcome
    if (response !== undefined) return response
    if (!Reflect.set(request, 'principal', principal)) {
      tellRoute(guard, 'LATCHKEY_W015', guard.onWarning, { route: endpointOf(request) })
      return guard.refuse('misconfigured', request)
    }
    if (vary !== undefined) {
      reply.header('vary', withVary(reply.getHeader('vary'), vary))
      keepVary(reply.raw, vary)
    }
    followUse(use, reply.raw, endpointOf, request, principal)
    return undefined
  }

  const enter = (outcome: GuardOutcome, request: FastifyRequest, reply: FastifyReply, done: () => void): void =>
    proceed(guard.admitBy(admitAs, outcome, request, reply), reply, done)

  const enterLate = (outcome: PromiseLike<GuardOutcome>, request: FastifyRequest, reply: FastifyReply, done: () => void): void =>
    void outcome.then((settled) => enter(settled, request, reply, done))

  return (request, reply, done) => {
    const outcome = decide(request)
    if (isThenable(outcome)) enterLate(outcome, request, reply, done)
    else enter(outcome, request, reply, done)
  }
}

/**
 * Plugin that guards every route of the context in which it is registered and of nested contexts. It sets `request.principal`.
 *
 * It creates no context of its own (as with `fastify-plugin`), so it guards sibling routes in the same context, including those declared before it;
 * routes of parent and sibling contexts are not guarded. The client's address is `request.ip`, so it follows the server's `trustProxy` option. It
 * runs in `onRequest`, before any body is read.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * await app.register(authenticate, { tokens })
 * ```
 */
export const authenticate: FastifyPluginAsync<AuthenticateOptions> = Object.assign(plugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'latchkey',
})

/**
 * Creates a hook that allows an authenticated request only if its token has all of these scopes (or any of them, with `{ any: [...] }`) and may access
 * these resources.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * app.get('/stock', { onRequest: requireScopes('inventory:read') }, handler)
 * ```
 */
export function requireScopes<
  const First extends FirstInput,
  const Rest extends RestInput<First, FastifyRequest<{ Params: { readonly [name: string]: string } }>>,
>(...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]): ScopeHook {
  const check = createScopeCheck<FastifyRequest>(args, endpointOf)

  return markGuard(function requireScopesOfRequest(incoming, outgoing, done) {
    if ('addHook' in incoming) return refuseRegistered(done)
    const request = incoming as FastifyRequest
    const reply = outgoing as FastifyReply
    const refusal = check(request)
    if (isThenable(refusal)) proceedLate(refusal, reply, done)
    else proceed(refusal, reply, done)
  })
}

/**
 * Creates a hook that protects one route in one line: `authenticate` with the defaults, followed by `requireScopes`.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * app.get('/stock', { onRequest: protect(tokens, 'inventory:read') }, handler)
 * ```
 */
export function protect<
  const First extends FirstInput,
  const Rest extends RestInput<First, FastifyRequest<{ Params: { readonly [name: string]: string } }>>,
>(tokens: Authenticator, ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]): ScopeHook {
  deciderOf(tokens, 'protect(tokens, scope)')
  const enter = createEntrance(tokens, {})
  const check = requireScopes(...args)
  return markGuard(function protectRequest(incoming, outgoing, done) {
    if ('addHook' in incoming) return refuseRegistered(done)
    enter(incoming as FastifyRequest, outgoing as FastifyReply, () => check(incoming, outgoing, done))
  })
}

/**
 * Plugin for the management API, in its own context under `prefix`.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * await app.register(management, { prefix: '/admin/tokens', tokens, actor: (request) => currentUser(request) })
 * ```
 */
export const management: FastifyPluginAsync<ManagementOptions> = async function management(app, given) {
  checkRegistered(app, given, 'management', '{ tokens, actor, prefix }')
  const { tokens, prefix = '', ...options } = detached(given, ['tokens', 'actor'])
  const api = openManagement(tokens, options)
  const checkTrust = createTrustCheck(platform.believesCallers)
  const answer = markGuard(async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    checkTrust(request)
    const { status, headers, body } = await manage(api, request, request.raw, () => ({
      url: addressOf({
        headers: request.raw.headers,
        protocol: request.protocol,
        hostname: hostnameOf(request),
        path: pathIn(request.url),
      }),
      mountPath: mountPathOf(request, app.prefix),
      mountName: () => app.prefix,
      target: request.originalUrl,
      ip: request.ip,
    }))
    return reply.code(status).headers(headers).send(body)
  })
  // The API reads bodies itself, within its own limits.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
  app.addHook('preParsing', hideMalformedType)
  app.all('/', answer)
  app.all('/*', answer)
  // Fastify routes only some methods. Requests with other methods reach the 404 handler, and only a context with its own prefix can have its own.
  if (/[^/]/.test(prefix)) app.setNotFoundHandler(answer)
}

/** A media type, with any parameters (RFC 9110 §8.3.1). */
const MEDIA_TYPE = /^[ \t]*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+[ \t]*(?:;|$)/

// Fastify refuses a malformed content type itself, before it calls the handler. The API reads the original fields of the request. All hooks still run.
const hideMalformedType: preParsingHookHandler = (request, _reply, payload, done) => {
  const { method, headers } = request
  const type = headers['content-type'] ?? (method === 'QUERY' ? '' : undefined)
  if (type !== undefined && !MEDIA_TYPE.test(type)) request.headers = { ...headers, 'content-type': 'application/octet-stream' }
  done(null, payload)
}

// Over HTTP/2, Fastify prefers the `Host` field, but `:authority` overrides it (RFC 9113 §8.3.1).
function hostnameOf({ raw, host, hostname }: FastifyRequest): string {
  const { ':authority': authority, host: field } = raw.headers
  return typeof authority === 'string' && (host === field || hostname === field) ? authority : hostname
}

// Fastify exposes only the pattern of a prefix. Each parameter in it stands for one segment of the requested path. If the router read the path differently,
// returns the pattern, which matches no request.
function mountPathOf({ url, params }: FastifyRequest, prefix: string): string {
  if (!prefix.includes(':')) return prefix
  const path = pathOf(url)
  const requested = path.split('/')
  const mountPath = prefix
    .replace(/\/+$/, '')
    .split('/')
    .map((part, at) => (part.includes(':') ? requested[at] : part))
    .join('/')
  const rest: unknown = Reflect.get(Object(params), '*') ?? ''
  return path.slice(mountPath.length).replace(/^\//, '') === rest ? mountPath : prefix
}

function proceed(refusal: PlainResponse | undefined, reply: FastifyReply, done: () => void): void {
  if (refusal === undefined) done()
  else send(reply, refusal)
}

function proceedLate(refusal: PromiseLike<PlainResponse | undefined>, reply: FastifyReply, done: () => void): void {
  void refusal.then((settled) => proceed(settled, reply, done))
}

function send(reply: FastifyReply, response: PlainResponse): void {
  // A response has already started, so the only way to refuse is to cut it off.
  if (reply.sent || reply.raw.headersSent) return void reply.raw.destroy()
  // As bytes, so that Fastify adds no charset, which JSON types do not have.
  reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
}

// The pattern that matched, never the requested path.
function endpointOf(request: FastifyRequest): string {
  const path: unknown = request.routeOptions.url
  return typeof path === 'string' ? endpointName(request.method, path) : ''
}
