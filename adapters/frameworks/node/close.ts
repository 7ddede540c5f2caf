/** Signals the end of a Node response. Over HTTP/2, only the stream knows that it has already ended. */
type ClosingResponse = {
  readonly closed?: boolean
  readonly stream?: { readonly closed: boolean; readonly destroyed: boolean }
  once(event: 'close', listener: () => void): unknown
}

/** Calls back when the response has been sent or aborted; immediately if the client has already disconnected. */
export function onClose(response: ClosingResponse, listener: () => void): void {
  const { closed = isOver(response.stream) } = response
  if (closed) listener()
  else response.once('close', listener)
}

function isOver(stream: ClosingResponse['stream']): boolean {
  return stream !== undefined && (stream.closed || stream.destroyed)
}
