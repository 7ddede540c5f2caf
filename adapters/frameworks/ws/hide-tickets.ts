import type { IncomingMessage } from 'node:http'
import { isTicketProtocol } from '../../../src/http/credential.js'

const FIELD = 'sec-websocket-protocol'

/**
 * Returns the original header fields of a request. A ticket is removed from the request itself, so that code that later selects a subprotocol or logs the
 * headers does not see it.
 */
export function takeHeaders(request: IncomingMessage): readonly string[] {
  const { rawHeaders, headers, headersDistinct } = request
  // Both are built from the raw header list on first access, so read them before it is changed.
  const presented = [...rawHeaders]
  const offered = headers[FIELD]
  if (offered === undefined || !holdsTicket(offered)) return presented
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]?.toLowerCase() !== FIELD) continue
    const left = withoutTickets(rawHeaders[at + 1] ?? '')
    if (left === undefined) rawHeaders.splice(at, 2)
    else rawHeaders[at + 1] = left
  }
  const left = withoutTickets(offered)
  if (left === undefined) delete headers[FIELD]
  else headers[FIELD] = left
  delete headersDistinct[FIELD]
  if (left !== undefined) headersDistinct[FIELD] = [left]
  return presented
}

function protocolsIn(value: string): readonly string[] {
  return value.split(',').map((protocol) => protocol.trim())
}

function holdsTicket(value: string): boolean {
  return protocolsIn(value).some(isTicketProtocol)
}

/** Returns the other protocols, or `undefined` if there are none. */
function withoutTickets(value: string): string | undefined {
  const others = protocolsIn(value).filter((protocol) => !isTicketProtocol(protocol))
  return others.length === 0 ? undefined : others.join(', ')
}
