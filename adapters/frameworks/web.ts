import { endpointName } from '../../src/activity/endpoint-name.js'
import { InvalidInputError } from '../../src/errors.js'
import { type Admission, admissionOf, admit, withdraw } from '../../src/http/admission.js'
import { type Authenticate, createGuard } from '../../src/http/authenticate.js'
import { checkWaitUntil, handOver } from '../../src/http/hand-over.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import { checkOptions, type AuthenticateOptions as Options, scopesIn } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import type { Platform } from '../../src/http/request.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { undoUse } from '../../src/http/use.js'
import { type Authenticator, deciderOf, type Latchkey } from '../../src/instance.js'
import { checkActor } from '../../src/management/check-actor.js'
import { createManagement, type ManagementOptions as Manage } from '../../src/management/index.js'
import type { Actor } from '../../src/model/actor.js'
import type { MaybePromise } from '../../src/model/json.js'
import type { Principal, ScopeName } from '../../src/model/principal.js'
import { unawaited } from '../../src/policy/misgiven.js'
import { detached } from '../../src/policy/option-reader.js'
import { refuseUndefined } from '../../src/policy/read-input.js'

/** The principal of the request, or the response to send instead. If there is neither, `optional` was set and no token was sent. */
export type Outcome =
  | { readonly principal: Principal<ScopeName>; readonly response?: undefined }
  | { readonly principal?: undefined; readonly response: Response }

/** Result of `authenticate` with `optional`: it may contain neither a principal nor a response. */
export type OptionalOutcome = Outcome | { readonly principal?: undefined; readonly response?: undefined }

/** Checks a request that `authenticate` accepted. Resolves to `undefined`, or to the response to send. */
export type ScopeChecker = (request: Request) => Promise<Response | undefined>

/** The options of `authenticate` on a standard `Request`. */
export type AuthenticateOptions = Options<Request> & {
  /** The client's address. A `Request` does not contain it, so pass it here; without it, tokens that are limited to addresses are refused. */
  readonly ip?: string | undefined
  /** The route's pattern, such as `/stock/:id`, for the usage report. */
  readonly endpoint?: string | undefined
  /** A check created by `requireScopes`. If it refuses, the usage report counts a refusal. Omit it to require no scopes: `undefined` is rejected. */
  readonly require?: ScopeChecker
  /**
   * Hands work that outlives the response, such as writing the token's use, to the platform: `(work) => context.waitUntil(work)` on Workers, which
   * stop a process soon after its response, or `after` in Next.js. @default written about once a second
   */
  readonly waitUntil?: ((work: Promise<unknown>) => unknown) | undefined
}

/** The options of `management` on standard requests. */
export type ManagementOptions = Manage & {
  /** Returns the actor who makes the request, or nothing if no one is signed in. */
  readonly actor: (request: Request) => MaybePromise<Actor | undefined | null | false>
  /** The path that the API is mounted on, such as `/admin/tokens`. */
  readonly mountPath: string
  /** Returns the client's address, for the audit log. */
  readonly ip?: ((request: Request) => string | undefined) | undefined
  /** Same as for `authenticate`, but also receives the request. On Workers, pass `waitUntil` from `cloudflare:workers`. */
  readonly waitUntil?: ((work: Promise<unknown>, request: Request) => unknown) | undefined
}

/**
 * Authenticates a standard `Request`, as used by Next.js, Bun, Deno and Workers.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * const { principal, response } = await authenticate(tokens, request, { require: requireScopes('inventory:read') })
 * if (response) return response
 * ```
 */
export function authenticate(
  tokens: Authenticator,
  request: Request,
  options?: AuthenticateOptions & { readonly optional?: false | undefined },
): Promise<Outcome>
export function authenticate(tokens: Authenticator, request: Request, options: AuthenticateOptions): Promise<OptionalOutcome>
export function authenticate(tokens: Authenticator, request: Request, given: AuthenticateOptions = {}): Promise<OptionalOutcome> {
  const outcome = decideOn(tokens, request, given)
  // Without `await`, `principal` and `response` would be `undefined`, and a handler that checks only for a response would let every request through.
  return Object.defineProperties(outcome, UNAWAITED)
}

function refuseUnawaited(): never {
  throw new InvalidInputError('outcome', 'authenticate() returns a promise: await it')
}

const UNAWAITED = { response: { get: refuseUnawaited }, principal: { get: refuseUnawaited } }

async function decideOn(tokens: Authenticator, request: Request, given: AuthenticateOptions): Promise<OptionalOutcome> {
  if (isRequest(tokens)) throw new InvalidInputError('tokens', 'comes before the request: authenticate(tokens, request)')
  deciderOf(tokens, 'authenticate(tokens, request)')
  checkRequest(request, 'authenticate(tokens, request)')
  refuseScopes(given)
  checkOptions(given)
  refuseUndefined(given, ['require'], 'to require no scopes')
  const { ip, endpoint, require, waitUntil, ...options } = detached(given, ['ip', 'endpoint', 'require', 'waitUntil'])
  checkWaitUntil(waitUntil)
  if (require !== undefined && (typeof require !== 'function' || Object.is(require, requireScopes))) {
    throw new InvalidInputError('require', "must be the result of requireScopes, such as requireScopes('inventory:read')")
  }
  const decide = guardOf(tokens, options)
  if (ip === undefined) addresses.delete(request)
  else addresses.set(Object(request), ip)
  const outcome = await decide(request)
  const { response, principal, use } = outcome
  const { decider, secretsOf } = decide.guard
  const secrets = (): readonly string[] => secretsOf(request)
  if (response !== undefined) {
    handOver(decider, waitUntil, { secrets })
    return { principal: undefined, response: toResponse(response) }
  }
  let refusal: Response | undefined
  try {
    const name = endpoint === undefined ? '' : endpointName(request.method, endpoint)
    use?.routed(name)
    refusal = await startCheck(require, request, outcome)
    use?.done(name)
  } catch (error) {
    undoUse(use)
    throw error
  }
  handOver(decider, waitUntil, { secrets })
  // The caller must not find either of them on `Object.prototype`, where other code may have put one.
  return refusal === undefined ? { principal, response: undefined } : { principal: undefined, response: refusal }
}

/**
 * Starts the check on the admission of this call. A concurrent call for the same request may have been admitted in the meantime. If one was refused, this
 * admission has ended, and only this check still sees it.
 */
function startCheck(require: ScopeChecker | undefined, request: Request, admission: Admission): Promise<Response | undefined> | undefined {
  const current = admissionOf(request)
  admit(request, admission)
  try {
    return require?.(request)
  } finally {
    if (current === undefined) withdraw(request)
    else if (current !== admission) admit(request, current)
  }
}

/**
 * Creates a check for all of these scopes (or any of them, with `{ any: [...] }`) and these resources, for the `require` option of `authenticate`.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * const mayRead = requireScopes('inventory:read', { warehouse: (request) => new URL(request.url).pathname.split('/').at(-1) })
 * ```
 */
export function requireScopes<const First extends FirstInput, const Rest extends RestInput<First, Request>>(
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): ScopeChecker {
  const check = createScopeCheck<Request>(args)
  return async function requireScopesOfRequest(request) {
    if (!isRequest(request)) throw new InvalidInputError('request', 'must be the Request that authenticate() accepted')
    const refusal = await check(request)
    return refusal === undefined ? undefined : toResponse(refusal)
  }
}

/**
 * Creates a fetch handler for the management API.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 * @example
 * ```ts
 * const manage = management(tokens, { mountPath: '/admin/tokens', actor: (request) => currentUser(request) })
 * ```
 */
export function management(tokens: Latchkey, given: ManagementOptions): (request: Request) => Promise<Response> {
  checkActor(tokens, given)
  const { actor, mountPath, ip, waitUntil, ...options } = detached(given, ['actor', 'mountPath', 'ip', 'waitUntil'])
  checkWaitUntil(waitUntil)
  if (typeof mountPath !== 'string' || (mountPath !== '' && !mountPath.startsWith('/')))
    throw new InvalidInputError('mountPath', 'must be the path of the API, such as /admin/tokens')
  const api = createManagement(tokens, options)
  return async function manageTokens(request) {
    checkRequest(request, 'pass the request that your server received')
    const { principal, use } = admissionOf(request) ?? {}
    const caller = { actor: () => actor(request), principal, use, ip: () => ip?.(request) }
    return api.fetch(request, { ...caller, waitUntil: waitUntil && ((work) => waitUntil(work, request)) }, mountPath)
  }
}

// Nothing is read here, because reading a request may run the host's code.
function isRequest(value: unknown): value is Request {
  return typeof value === 'object' && value !== null && 'headers' in value && !('rawHeaders' in value)
}

function checkRequest(request: unknown, write: string): void {
  if (isRequest(request)) return
  let hint = unawaited(request) || `: ${write}`
  if ('rawHeaders' in Object(request)) hint = ', not a Node request: import from latchkey/express, latchkey/koa or latchkey/fastify'
  throw new InvalidInputError('request', `must be a standard Request${hint}`)
}

// On other frameworks, scopes are passed like this.
function refuseScopes(options: unknown): void {
  const field = typeof options === 'function' ? 'options' : scopesIn(options)
  if (field === undefined) return
  throw new InvalidInputError(field, "authenticate() takes scopes as { require: requireScopes('inventory:read') }")
}

/** The addresses of requests, read as soon as a guard runs. */
const addresses: WeakMap<Request, string> = new WeakMap()

const platform: Platform<Request> = {
  read: (request) => ({
    method: request.method,
    headers: request.headers,
    ip: addresses.get(request),
  }),
  host: (request) => new URL(request.url).host,
  isSecure: (request) => new URL(request.url).protocol === 'https:',
  trustsProxy: () => undefined,
  // Batches handle the parts of one request separately.
  keepsAdmission: true,
}

// Most calls pass only an address, an endpoint and a check. A guard depends on none of these, so one guard is created and reused.
const guards: WeakMap<Authenticator, Authenticate<Request>> = new WeakMap()

function guardOf(tokens: Authenticator, options: Options<Request>): Authenticate<Request> {
  if (Object.keys(options).length > 0) return createGuard(tokens, options, platform)
  const guard = guards.get(tokens) ?? createGuard(tokens, options, platform)
  guards.set(tokens, guard)
  return guard
}

function toResponse({ status, headers, body }: PlainResponse): Response {
  return new Response(body, { status, headers })
}
