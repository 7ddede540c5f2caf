import type { Use } from '../../../src/http/admission.js'
import type { Principal } from '../../../src/model/principal.js'

type Listener = () => void
type Emitter = { once(event: 'close', listener: Listener): unknown }

/** Signals the end of a Node response. Over HTTP/2, only the stream knows that it has already ended. */
type ClosingResponse = Emitter & {
  readonly closed?: boolean
  readonly stream?: { readonly closed: boolean; readonly destroyed: boolean }
  /** `null` until earlier responses on the same connection have finished. */
  readonly socket?: unknown
  readonly req?: { readonly socket?: Emitter & { readonly destroyed: boolean } }
}

/** Calls back when the response has been sent or aborted; immediately if the client has already disconnected. May call more than once. */
export function onClose(response: ClosingResponse, listener: Listener): void {
  const { closed = isOver(response.stream), socket, req } = response
  if (closed || (socket === null && req?.socket?.destroyed === true)) {
    listener()
    return
  }
  response.once('close', listener)
  // If a connection closes, Node emits no event for responses that are waiting behind another one.
  if (socket === null && req?.socket !== undefined) queue(req.socket, response, listener)
}

/** Counts a use once its response has been sent or abandoned, or soon after it has begun. */
export function followUse(
  use: Use | undefined,
  response: ClosingResponse & { readonly headersSent: boolean },
  endpointOf: () => string,
  principal: Principal | undefined,
): void {
  if (use !== undefined) onClose(response, use.follow(endpointOf, response, principal))
}

function isOver(stream: ClosingResponse['stream']): boolean {
  return stream !== undefined && (stream.closed || stream.destroyed)
}

/** The listeners of the responses that are waiting on a connection. The connection itself gets only one listener. */
const queues: WeakMap<Emitter, Set<Listener>> = new WeakMap()

function queue(connection: Emitter, response: Emitter, listener: Listener): void {
  let listeners = queues.get(connection)
  if (listeners === undefined) {
    const waiting = new Set<Listener>()
    listeners = waiting
    queues.set(connection, waiting)
    connection.once('close', () => {
      for (const call of waiting) call()
      waiting.clear()
    })
  }
  const waiting = listeners.add(listener)
  response.once('close', () => waiting.delete(listener))
}
