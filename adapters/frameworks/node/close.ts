/** The events of a Node response that mark its end. */
type ClosingResponse = { readonly closed: boolean; once(event: 'close', listener: () => void): unknown }

/** Calls back when the response is over, sent or given up; at once where the client has left already. */
export function onClose(response: ClosingResponse, listener: () => void): void {
  if (response.closed) listener()
  else response.once('close', listener)
}
