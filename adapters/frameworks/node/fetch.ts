import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { UnderlyingSource } from 'node:stream/web'
import { isNormalPath } from '../../../src/management/target.js'
import { startTimer } from '../../../src/store/timer.js'
import { hasBody } from './has-body.js'

/** A request over either protocol, as frameworks pass it on. */
type Incoming = IncomingMessage | Http2ServerRequest

/** A response that has not been sent yet, with its body fully read. */
export type WholeResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** The response to a request that a standard `Request` cannot represent, such as TRACE. */
const UNFIT: WholeResponse = {
  status: 400,
  headers: { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' },
  body: Buffer.alloc(0),
}

/** How much of an unread body is drained, so that the response reaches the client and the connection can be reused. */
const MAX_DRAINED_BYTES = 8 * 1024 * 1024
const MAX_DRAIN_MS = 10_000

/**
 * Answers a Node request with a fetch handler.
 *
 * Never rejects. Drains the rest of the request's body, within limits: closing a connection with unread bytes would lose the response (RFC 9112
 * §9.6).
 */
export async function answerByFetch(incoming: Incoming, url: URL, handle: (request: Request) => Promise<Response>): Promise<WholeResponse> {
  let stop = () => {}
  try {
    const body = isBodiless(incoming) ? undefined : streamOf(incoming)
    if (body !== undefined) stop = body.stop
    const response = await handle(toRequest(incoming, url, body?.stream))
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    }
  } catch {
    return UNFIT
  } finally {
    stop()
    drain(incoming)
  }
}

function isBodiless({ method }: Incoming): boolean {
  return method === 'GET' || method === 'HEAD'
}

function drain(incoming: Incoming): void {
  if (incoming.readableEnded || incoming.destroyed) return
  let left = MAX_DRAINED_BYTES
  const cutOff = () => ('stream' in incoming ? incoming.stream.close() : incoming.destroy())
  const timer = startTimer(cutOff, MAX_DRAIN_MS)
  const count = (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) cutOff()
  }
  const stop = () => {
    clearTimeout(timer)
    incoming.off('data', count)
  }
  incoming.on('data', count).once('end', stop).once('close', stop)
  incoming.resume()
}

/** The parts of a request that `addressOf` reads. */
export type Target = {
  readonly headers: Incoming['headers']
  readonly protocol: string
  /** The host as the framework resolves it behind a proxy, without a port. */
  readonly hostname: string
  /** Path and query. */
  readonly path: string
}

/** Not the path of any route or mount. */
const NOWHERE = '//'

/**
 * Returns the address that a request was sent to. A path that is not normalized (`/x/../y`) matches nothing, because an earlier router or path rule may have
 * read it as a different path.
 */
export function addressOf({ headers, protocol, hostname, path }: Target): URL {
  // HTTP/2 names the host in a pseudo-field, which overrides `Host` (RFC 9113 §8.3.1).
  const host = String(headers[':authority'] ?? headers.host ?? '')
  const authority = host.startsWith(hostname) ? host : hostname
  const base = `${protocol === 'https' ? 'https' : 'http'}://${authority}`
  const url = new URL(URL.canParse(base) ? base : 'http://localhost')
  const query = path.indexOf('?')
  const wanted = (query === -1 ? path : path.slice(0, query)) || '/'
  url.pathname = isNormalPath(wanted) ? wanted : NOWHERE
  url.search = query === -1 ? '' : path.slice(query)
  return url
}

function toRequest(incoming: Incoming, url: URL, body: ReadableStream<Uint8Array> | undefined): Request {
  const method = incoming.method ?? 'GET'
  const headers = new Headers()
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index]
    const value = incoming.rawHeaders[index + 1]
    // HTTP/2 pseudo-fields are not header fields.
    if (name !== undefined && value !== undefined && !name.startsWith(':')) headers.append(name, value)
  }
  if (body === undefined) return new Request(url, { method, headers })
  const streamed: RequestInit & { readonly duplex: 'half' } = { method, headers, body, duplex: 'half' }
  return new Request(url, streamed)
}

// `Readable.toWeb` destroys the socket when its reader cancels, and the 413 could no longer be sent. Nothing is read until it is requested.
function streamOf(incoming: Incoming): { readonly stream: ReadableStream<Uint8Array>; stop(): void } {
  let stop = () => {}
  const source: UnderlyingSource<Uint8Array> = {
    start(controller) {
      if (incoming.readableDidRead && hasBody(incoming)) return controller.error(new Error('the body was read before'))
      if (incoming.readableEnded) return controller.close()
      const push = (chunk: Buffer) => {
        incoming.pause()
        controller.enqueue(chunk)
      }
      // Over HTTP/2, a stream that is reset emits `close` first and then `end`; only the first one counts.
      const end = () => {
        stop()
        controller.close()
      }
      const close = () => {
        stop()
        controller.error(new Error('the request was cut off'))
      }
      stop = () => incoming.off('data', push).off('end', end).off('close', close)
      incoming.pause()
      incoming.on('data', push).once('end', end).once('close', close)
    },
    pull() {
      incoming.resume()
    },
    cancel: () => stop(),
  }
  return { stream: new ReadableStream<Uint8Array>(source, { highWaterMark: 0 }), stop: () => stop() }
}
