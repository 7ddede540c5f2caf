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
import { refuseUndefined } from '../../src/policy/read-input.js'
import { onClose } from './node/close.js'
import { answerOn, ignoreErrors } from './ws/answer.js'
import { takeHeaders } from './ws/hide-tickets.js'
import { type Closable, endWith } from './ws/watch.js'

export { CLOSE_CODES } from './ws/watch.js'
export type { Closable, PlainResponse, Ticket }

/** The options of `authenticateUpgrade`. */
export type UpgradeOptions = Omit<Options<IncomingMessage>, 'optional'> & {
  /** The scopes that the connection needs: one, any of some, or the arguments of `requireScopes` as a list, with resources at its end. */
  readonly scopes?: ScopeName | AnyScope | ScopeArguments<IncomingMessage>
  /** The client's address, where a proxy stands in front. @default that of the connection */
  readonly ip?: ((request: IncomingMessage) => string | undefined) | undefined
  /** The name of the connection in the usage report. @default 'upgrade' */
  readonly endpoint?: string | undefined
}

/** A request to upgrade that was let in. */
export type AdmittedUpgrade = {
  readonly ok: true
  readonly principal: Principal<ScopeName>
  /**
   * Closes this WebSocket, with a code of `CLOSE_CODES`, when the token is revoked, deactivated or expires. Without it the connection is cut off
   * then, without a close frame.
   */
  readonly watch: (webSocket: Closable) => void
}

/** A request to upgrade that was refused. */
export type RefusedUpgrade = {
  readonly ok: false
  readonly status: number
  /** One word of the code table. */
  readonly code: string
  /** The answer, for frameworks that send it themselves. */
  readonly response: PlainResponse
  /** Answers on the connection, and closes it. */
  readonly reject: (socket?: Duplex) => void
}

/** Result of `authenticateUpgrade`. */
export type UpgradeOutcome = AdmittedUpgrade | RefusedUpgrade

/**
 * Decides about a request to upgrade, such as the handshake of a WebSocket, in the listener of a server's `upgrade` event.
 *
 * The token stands in a header field, as for `authenticate`. Browsers can send none with a WebSocket, so they offer a ticket that `createTicket` made as
 * a subprotocol, beside one of their own. It is spent here and taken out of the request, so that no server selects it. The query string is ignored.
 * A session must come from a page of the same origin.
 *
 * Give the same object of options with each request: it is read once, and a new one is read for each request. Nobody awaits the listener of an event, so what is wrong with
 * the options or with `tokens` ends no process: the request is refused with 500 `misconfigured`, and `LATCHKEY_W013` says why.
 *
 * @throws InvalidInputError `invalid_input`, field `request`, for what is no request of a Node server
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
  const socket = socketOf(request)
  // While the decision is awaited nobody else listens.
  if (!socket.listeners('error').includes(ignoreErrors)) socket.on('error', ignoreErrors)
  const door = findDoor(tokens, options)
  if (door === undefined) return refused(refuseMisconfigured('misconfigured', request), socket)
  const { decide, check, endpoint } = door
  const { response, principal, use } = await decide(request)
  if (response !== undefined) return refused(response, socket)
  const refusal = await check?.(request)
  use?.done(endpoint)
  if (refusal !== undefined) return refused(refusal, socket)
  if (principal === undefined) return refused(decide.guard.refuse('credential_missing', request), socket)
  // A session's end is known to the host only.
  if (use === undefined) return { ok: true, principal, watch: () => undefined }
  const watch = endWith(principal.signal, socket)
  onClose(socket, () => use.over(endpoint, principal))
  return { ok: true, principal, watch }
}

/**
 * Makes a ticket for a browser that was let in with a token: good for 30 seconds, for one connection, and for nothing else.
 *
 * What it is worth is decided when it is used: scopes, addresses and limits are those of the token then, and where the token has ended, so has its ticket.
 *
 * @throws InvalidInputError `invalid_input` for a principal that is not of an API token of this instance, such as a session's
 * @throws LatchkeyError `rate_limited` while a token has a thousand tickets that nobody used
 * @example
 * ```ts
 * app.post('/ticket', authenticate(tokens), async (req, res) => {
 *   res.set('cache-control', 'no-store').json(await createTicket(tokens, req.principal))
 * })
 * ```
 */
export async function createTicket(tokens: Latchkey, principal: Principal | undefined): Promise<Ticket> {
  return await internalsOf(tokens).createTicket(principal)
}

const DEFAULTS: UpgradeOptions = Object.freeze({})
const refuseMisconfigured = createRefusals<IncomingMessage>()

function socketOf(request: unknown): Duplex {
  const socket: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, 'socket') : undefined
  if (typeof Object(socket).on === 'function' && typeof Object(socket).listeners === 'function') return socket as Duplex
  throw new InvalidInputError('request', "must be the first argument of a listener of a Node server's `upgrade` event")
}

function findDoor(tokens: Authenticator, options: UpgradeOptions): Door | undefined {
  try {
    return doorOf(tokens, options)
  } catch (error) {
    const onWarning: unknown = Object(options).onWarning
    warn('LATCHKEY_W013', typeof onWarning === 'function' ? (onWarning as OnWarning) : undefined, isErrorLike(error) ? error.message : '')
    return undefined
  }
}

type Door = {
  readonly decide: Authenticate<IncomingMessage>
  readonly check: ScopeCheck<IncomingMessage> | undefined
  readonly endpoint: string
}

// Options are given with each request. Those that come in the same object are read once.
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
  // Without it more is open: one that got lost on its way must not go unnoticed.
  refuseUndefined(given, ['scopes'], 'to require none')
  const { scopes, ip, endpoint = 'upgrade', ...options } = given
  if (Object.hasOwn(options, 'optional'))
    throw new InvalidInputError('optional', 'a connection without a token needs no authenticateUpgrade()')
  if (ip !== undefined && typeof ip !== 'function') throw new InvalidInputError('ip', 'must be a function of the request')
  if (typeof endpoint !== 'string') throw new InvalidInputError('endpoint', 'must be a string')
  const platform: Platform<IncomingMessage> = {
    read: (request) => {
      const headers = takeHeaders(request)
      return { method: request.method ?? 'GET', headers, ip: ip === undefined ? request.socket.remoteAddress : ip(request) }
    },
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
