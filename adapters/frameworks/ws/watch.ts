import type { Duplex } from 'node:stream'
import { isLatchkeyError } from '../../../src/errors.js'
import { startTimer } from '../../../src/store/timer.js'

/** The part of a WebSocket that is used to close it. WebSockets of `ws`, and any object with the same `close`, work. */
export type Closable = {
  close(code?: number, reason?: string): unknown
  /** If it emits `message` events, as in `ws`, its listeners are removed when the token ends. */
  removeAllListeners?(event: 'message'): unknown
  /** Reports listeners that are added afterward, so that they can be removed, too. */
  on?(event: 'newListener', listener: (event: string | symbol) => void): unknown
}

/** The codes that a WebSocket is closed with when its token ends (https://www.iana.org/assignments/websocket). */
export const CLOSE_CODES = {
  /** Unauthorized: the token was revoked or deactivated, or has expired. The reason is the code, such as `token_revoked`. */
  unauthorized: 3000,
  /** Try again later: it cannot be decided whether the token is still valid. */
  undecided: 1013,
  /** Going away: the instance was closed. */
  closed: 1001,
} as const

/** How long the client has to answer the close frame. */
const GRACE_MS = 5000

/** Closes a connection when its token ends: with a close frame if it is known to be a WebSocket, then by closing the connection itself. */
export function endWith(signal: AbortSignal, socket: Duplex): (webSocket: Closable) => void {
  const watched = new Set<Closable>()
  const end = (): void => {
    const { code, reason } = closingOf(signal.reason)
    if (watched.size === 0) return void socket.destroy()
    const timer = startTimer(() => socket.destroy(), GRACE_MS)
    socket.once('close', () => clearTimeout(timer))
    for (const webSocket of watched) closeOne(webSocket, code, reason)
  }
  if (signal.aborted) queueMicrotask(end)
  else {
    signal.addEventListener('abort', end, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', end))
  }
  return function watch(webSocket) {
    watched.add(webSocket)
  }
}

function closeOne(webSocket: Closable, code: number, reason: string): void {
  try {
    // Until the client answers the close frame, its messages still arrive, and a handler that was waiting may still add a listener.
    const drop = (): unknown => webSocket.removeAllListeners?.('message')
    drop()
    webSocket.on?.('newListener', (event) => event === 'message' && queueMicrotask(drop))
    webSocket.close(code, reason)
  } catch {
    // The connection is destroyed shortly after.
  }
}

function closingOf(cause: unknown): { readonly code: number; readonly reason: string } {
  if (!isLatchkeyError(cause)) return { code: CLOSE_CODES.unauthorized, reason: 'token_expired' }
  if (cause.code === 'store_unavailable') return { code: CLOSE_CODES.undecided, reason: cause.code }
  if (cause.code === 'closed') return { code: CLOSE_CODES.closed, reason: cause.code }
  return { code: CLOSE_CODES.unauthorized, reason: cause.code === 'token_unknown' ? 'token_invalid' : cause.code }
}
