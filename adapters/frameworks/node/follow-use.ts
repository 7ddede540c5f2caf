import { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Use } from '../../../src/http/use.js'
import type { Principal } from '../../../src/model/principal.js'
import { type ClosingResponse, onClose } from './close.js'

/** Counts a use once its response has been sent or abandoned, or soon after it has begun. */
export function followUse<Routed>(
  use: Use | undefined,
  response: ClosingResponse & { readonly headersSent: boolean },
  endpointOf: (routed: Routed) => string,
  routed: Routed,
  principal: Principal | undefined,
): void {
  if (use === undefined) return
  const ended = use.follow(endpointOf, routed, response, principal)
  if (isOpen(response)) response.on('close', ended)
  else onClose(response, ended)
}

/**
 * Returns whether a response has neither finished, which would have detached it from its socket, nor been aborted. On Express, `onClose` takes longer to find
 * out.
 */
function isOpen(response: ClosingResponse): boolean {
  if (!(response instanceof ServerResponse)) return false
  const { socket } = response
  return socket instanceof Socket && !socket.destroyed
}
