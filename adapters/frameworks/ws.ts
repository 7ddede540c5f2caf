import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { InvalidInputError, isErrorLike } from '../../src/errors.js'
import { type Authenticate, createGuard } from '../../src/http/authenticate.js'
import { type OnWarning, warn } from '../../src/http/diagnostics.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import { createRefusals } from '../../src/http/refuse.js'
import type { Platform } from '../../src/http/request.js'
import { createScopeCheck, type ScopeCheck } from '../../src/http/require-scopes.js'
import type { AnyScope, ScopeArguments } from '../../src/http/requirement.js'
import { type Authenticator, internalsOf, type Latchkey } from '../../src/instance.js'
import type { Principal, ScopeName } from '../../src/model/principal.js'
import type { Ticket } from '../../src/model/ticket.js'
import { detached, supplied } from '../../src/policy/option-reader.js'
import { refuseUndefined } from '../../src/policy/read-input.js'
import { onClose } from './node/close.js'
import { answerOn, ignoreErrors } from './ws/answer.js'
import { takeHeaders } from './ws/hide-tickets.js'
import { type Closable, endWith } from './ws/watch.js'

export { CLOSE_CODES } from './ws/watch.js'
export type { Closable, PlainResponse, Ticket }

/** The options of `authenticateUpgrade`. */
export type UpgradeOptions = Omit<Options<IncomingMessage>, 'optional'> & {
  /**
   * The scopes that the connection requires: one scope, `{ any: [...] }`, or the arguments of `requireScopes` as a list, ending with the resources.
   */
  readonly scopes?: ScopeName | AnyScope | ScopeArguments<IncomingMessage>
  /** Returns the client's address, for servers behind a proxy. @default the address of the connection */
  readonly ip?: ((request: IncomingMessage) => string | undefined) | undefined
  /** The name of the connection in the usage report. @default 'upgrade' */
  readonly endpoint?: string | undefined
}

/** An accepted upgrade request. */
export type AdmittedUpgrade = {
  readonly ok: true
  readonly principal: Principal<ScopeName>
  /**
   * Closes this WebSocket with one of the `CLOSE_CODES` when the token expires or is revoked or deactivated. Unless you call this, the connection is
   * then cut off without a close frame.
   */
  readonly watch: (webSocket: Closable) => void
}

/** A refused upgrade request. */
export type RefusedUpgrade = {
  readonly ok: false
  readonly status: number
  /** A code from the code table. */
  readonly code: string
  /** The response, for frameworks that send it themselves. */
  readonly response: PlainResponse
  /** Sends the response on the connection, and closes it. */
  readonly reject: (socket?: Duplex) => void
}

/** Result of `authenticateUpgrade`. */
export type UpgradeOutcome = AdmittedUpgrade | RefusedUpgrade

/**
 * Authenticates an upgrade request, such as a WebSocket handshake, in the listener of a server's `upgrade` event.
 *
 * The token is in a header field, as for `authenticate`. Browsers cannot set header fields on a WebSocket, so they offer a ticket from `createTicket`
 * as a subprotocol, next to one of their own. The ticket is spent here and removed from the request, so that no server selects it. The query string
 * is ignored. A session must come from a page on the same origin.
 *
 * Pass the same options object with each request: it is validated once, whereas a new object is validated each time. Nothing awaits an event
 * listener, so invalid options or an invalid `tokens` do not end the process: the request is refused with 500 `misconfigured`, and the warning
 * `LATCHKEY_W013` reports the reason.
 *
 * @throws InvalidInputError `invalid_input`, field `request`, if it is not a request of a Node server
 * @example
 * ```ts
 * const options: UpgradeOptions = { scopes: 'stock:watch' }
 * server.on('upgrade', async (request, socket, head) => {
 *   const upgrade = await authenticateUpgrade(tokens, request, options)
 *   if (!upgrade.ok) return upgrade.reject(socket)
 *   sockets.handleUpgrade(request, socket, head, (webSocket) => {
 *     upgrade.watch(webSocket)
 *     sockets.emit('connection', webSocket, request, upgrade.principal)
 *   })
 * })
 * ```
 */
export async function authenticateUpgrade(
  tokens: Authenticator,
  request: IncomingMessage,
  options: UpgradeOptions = DEFAULTS,
): Promise<UpgradeOutcome> {
  if (isListener(tokens, request)) return refuseListener(tokens, request, CALL_INSTEAD)
  const socket = socketOf(request)
  // Nothing else listens to the socket while the decision is pending.
  if (!socket.listeners('error').includes(ignoreErrors)) socket.on('error', ignoreErrors)
  const door = findDoor(tokens, options)
  if (door === undefined) return refused(refuseMisconfigured('misconfigured', request), socket)
  const { decide, check, endpoint } = door
  const { response, principal, use } = await decide(request)
  if (response !== undefined) return refused(response, socket)
  use?.routed(endpoint)
  const refusal = await check?.(request)
  use?.done(endpoint)
  if (refusal !== undefined) {
    // A resource function failed, so the connection was neither allowed nor denied.
    if (refusal.code === 'store_unavailable' && principal !== undefined) decide.guard.decider.giveBackTicket?.(principal)
    return refused(refusal, socket)
  }
  if (principal === undefined) return refused(decide.guard.refuse('credential_missing', request), socket)
  // Only the host knows when a session ends.
  if (use === undefined) return { ok: true, principal, watch: () => undefined }
  onClose(
    socket,
    use.follow((named) => named, endpoint, undefined, principal),
  )
  return { ok: true, principal, watch: endWith(principal.signal, socket) }
}

/**
 * Creates a ticket for a browser that was authenticated with a token. It is valid for 30 seconds, for one connection, and for nothing else.
 *
 * Permissions are checked when the ticket is used, against the token's scopes, addresses and limits at that time. If the token is no longer valid, neither is
 * its ticket.
 *
 * @throws InvalidInputError `invalid_input` if the principal does not come from an API token of this instance but, for example, from a session
 * @throws LatchkeyError `rate_limited` while the token has a thousand unused tickets
 * @example
 * ```ts
 * app.post('/ticket', authenticate(tokens), (req, res, next) => {
 *   createTicket(tokens, req.principal)
 *     .then((ticket) => res.set('cache-control', 'no-store').json(ticket))
 *     .catch(next)
 * })
 * ```
 */
export async function createTicket(tokens: Latchkey, principal: Principal | undefined): Promise<Ticket> {
  // Called as an event listener. The server ignores the result, and a rejection would end the process.
  if (isListener(tokens, principal)) return refuseListener(tokens, principal, CREATE_INSTEAD) as never
  return await internalsOf(tokens, 'createTicket(tokens, principal)').createTicket(principal)
}

const DEFAULTS: UpgradeOptions = Object.freeze({})
const refuseMisconfigured = createRefusals<IncomingMessage>()

const CALL_INSTEAD = "write server.on('upgrade', (request, socket) => …) and call authenticateUpgrade(tokens, request) there"
const CREATE_INSTEAD = 'createTicket(tokens, principal) is for an HTTP route, and authenticateUpgrade(tokens, request) for the upgrade'

/** Returns whether a function of this module was itself registered as an `upgrade` listener: the server then passes the request and its connection. */
function isListener(first: unknown, second: unknown): first is IncomingMessage {
  return typeof first === 'object' && first !== null && second !== undefined && Reflect.get(first, 'socket') === second
}

// The server ignores the result, so this refuses the request itself.
function refuseListener(request: IncomingMessage, socket: unknown, instead: string): RefusedUpgrade {
  warn('LATCHKEY_W013', undefined, instead)
  const refusal = refused(refuseMisconfigured('misconfigured', request), socket as Duplex)
  refusal.reject()
  return refusal
}

function socketOf(request: unknown): Duplex {
  const socket: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, 'socket') : undefined
  if (typeof Object(socket).on === 'function' && typeof Object(socket).listeners === 'function') return socket as Duplex
  throw new InvalidInputError(
    'request',
    'must be the request that a Node server passes to its `upgrade` listener: authenticateUpgrade(tokens, request)',
  )
}

function findDoor(tokens: Authenticator, options: UpgradeOptions): Door | undefined {
  try {
    return doorOf(tokens, options)
  } catch (error) {
    const onWarning: unknown = supplied<UpgradeOptions, 'onWarning'>(Object(options), 'onWarning')
    warn('LATCHKEY_W013', typeof onWarning === 'function' ? (onWarning as OnWarning) : undefined, isErrorLike(error) ? error.message : '')
    return undefined
  }
}

type Door = {
  readonly decide: Authenticate<IncomingMessage>
  readonly check: ScopeCheck<IncomingMessage> | undefined
  readonly endpoint: string
}

// Options are passed with each request. The same object is read only once.
const doors: WeakMap<object, WeakMap<object, Door>> = new WeakMap()

function doorOf(tokens: Authenticator, options: UpgradeOptions): Door {
  if (typeof options !== 'object' || options === null) throw new InvalidInputError('options', 'must be an object')
  const known = doors.get(tokens)?.get(options)
  if (known !== undefined) return known
  const door = openDoor(tokens, options)
  const own = doors.get(tokens) ?? new WeakMap<object, Door>()
  doors.set(tokens, own.set(options, door))
  return door
}

function openDoor(tokens: Authenticator, given: UpgradeOptions): Door {
  // Without this option, no scope is required, so an accidental `undefined` must not go unnoticed.
  refuseUndefined(given, ['scopes'], 'to require none')
  const { scopes, ip, endpoint = 'upgrade', ...options } = detached(given, ['scopes', 'ip', 'endpoint'])
  if (Object.hasOwn(options, 'optional'))
    throw new InvalidInputError('optional', 'a connection without a token needs no authenticateUpgrade()')
  if (ip !== undefined && typeof ip !== 'function') throw new InvalidInputError('ip', 'must be a function of the request')
  if (typeof endpoint !== 'string') throw new InvalidInputError('endpoint', 'must be a string')
  const platform: Platform<IncomingMessage> = {
    read: (request) => {
      const headers = takeHeaders(request)
      return { method: request.method ?? 'GET', headers, ip: ip === undefined ? request.socket.remoteAddress : ip(request) }
    },
    headers: ({ rawHeaders }) => rawHeaders,
    isSecure: ({ socket }) => 'encrypted' in socket && socket.encrypted === true,
    trustsProxy: () => ip !== undefined,
    upgrades: true,
  }
  return {
    decide: createGuard(tokens, options, platform),
    check: scopes === undefined ? undefined : createScopeCheck(Array.isArray(scopes) ? scopes : [scopes]),
    endpoint,
  }
}

function refused(response: PlainResponse, socket: Duplex): RefusedUpgrade {
  const { status, code } = response
  return { ok: false, status, code, response, reject: (given = socket) => answerOn(given, response) }
}
