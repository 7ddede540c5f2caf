type Listener = () => void
type Emitter = { on(event: 'close', listener: Listener): unknown }

/** Signals the end of a Node response. Over HTTP/2, only the stream knows that it has already ended. */
export type ClosingResponse = Emitter & {
  readonly closed?: boolean
  readonly stream?: Partial<Emitter> & { readonly closed: boolean; readonly destroyed: boolean }
  /** `null` until earlier responses on the same connection have finished. */
  readonly socket?: unknown
  readonly req?: { readonly socket?: Emitter & { readonly destroyed: boolean } }
}

/** Calls back when the response has been sent or aborted; immediately if the client has already disconnected. May call back more than once. */
export function onClose(response: ClosingResponse, listener: Listener): void {
  const { stream, closed = isOver(stream), socket, req } = response
  if (closed || (socket === null && req?.socket?.destroyed === true)) {
    listener()
    return
  }
  // `once` would create three more objects for every request.
  response.on('close', listener)
  // Node does not emit it for a response to HEAD whose stream was reset before the header was sent.
  stream?.on?.('close', listener)
  // If a connection closes, Node emits no event for responses that are waiting behind another one.
  if (socket === null && req?.socket !== undefined) queue(req.socket, response, listener)
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
    connection.on('close', () => {
      for (const call of waiting) call()
      waiting.clear()
    })
  }
  const waiting = listeners.add(listener)
  response.on('close', () => waiting.delete(listener))
}
