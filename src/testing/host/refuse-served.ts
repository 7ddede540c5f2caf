import { IncomingMessage } from 'node:http'
import { Http2ServerRequest } from 'node:http2'
import { InvalidInputError } from '../../errors.js'

/** Where frameworks keep the request that the server handed to them. */
const INNER = ['raw', 'req', 'request', 'env', 'incoming', 'nodeRequest'] as const
const DEPTH = 3

/**
 * Refuses a request that a server may have received, regardless of the framework that wraps it. A request from a connection must present a token.
 *
 * @throws InvalidInputError `invalid_input`, field `request`
 */
export function refuseServed(request: unknown): void {
  if (typeof request !== 'object' || request === null) {
    throw new InvalidInputError('request', 'must be an object that represents a request, such as { params: {} }')
  }
  if (isServed(request, DEPTH)) {
    throw new InvalidInputError(
      'request',
      'came from a server, or is a web Request: authenticate it with a token from tokenFor() instead of a principal',
    )
  }
}

function isServed(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Http2ServerRequest) return true
  if (value instanceof IncomingMessage) return Reflect.get(value, 'socket') != null
  // The tag is also set on requests from other realms, and on servers' subclasses of the platform's class.
  if (Object.prototype.toString.call(value) === '[object Request]') return true
  return depth > 0 && INNER.some((name) => isServed(Reflect.get(value, name), depth - 1))
}
