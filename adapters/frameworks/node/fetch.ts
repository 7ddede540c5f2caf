import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'

/** A request of either protocol, as the frameworks hand it on. */
type Incoming = IncomingMessage | Http2ServerRequest

/** A response before it is sent, with its body read whole. */
export type WholeResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What is said to a request that a standard `Request` cannot carry, such as TRACE. */
const UNFIT: WholeResponse = { status: 400, headers: { 'cache-control': 'no-store' }, body: Buffer.alloc(0) }

/** Answers a Node request by a fetch handler. Never rejects. */
export async function answerByFetch(incoming: Incoming, url: URL, handle: (request: Request) => Promise<Response>): Promise<WholeResponse> {
  try {
    const response = await handle(toRequest(incoming, url))
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    }
  } catch {
    return UNFIT
  }
}

/** The path and query of a request target: in absolute form (RFC 9112 §3.2.2) it names an origin too. */
export function pathIn(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
}

/** The address that a request was sent to. `host` is the field as it came, `hostname` what the framework makes of it behind a proxy. */
export function addressOf(protocol: string, host: string | undefined, hostname: string, path: string): URL {
  const authority = host?.startsWith(hostname) ? host : hostname
  const base = `${protocol === 'https' ? 'https' : 'http'}://${authority}`
  const url = new URL(URL.canParse(base) ? base : 'http://localhost')
  const query = path.indexOf('?')
  url.pathname = query === -1 ? path : path.slice(0, query)
  url.search = query === -1 ? '' : path.slice(query)
  return url
}

function toRequest(incoming: Incoming, url: URL): Request {
  const method = incoming.method ?? 'GET'
  const headers = new Headers()
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index]
    const value = incoming.rawHeaders[index + 1]
    // HTTP/2 pseudo-fields are no fields.
    if (name !== undefined && value !== undefined && !name.startsWith(':')) headers.append(name, value)
  }
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers })
  const streamed: RequestInit & { readonly duplex: 'half' } = { method, headers, body: streamOf(incoming), duplex: 'half' }
  return new Request(url, streamed)
}

// `Readable.toWeb` destroys the socket when its reader gives up, and the 413 could not be sent any more.
function streamOf(incoming: Incoming): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (incoming.readableEnded) return controller.close()
      incoming.pause()
      incoming.on('data', (chunk: Buffer) => {
        controller.enqueue(chunk)
        incoming.pause()
      })
      incoming.once('end', () => controller.close())
      incoming.once('close', () => {
        if (!incoming.readableEnded) controller.error(new Error('the request broke off'))
      })
    },
    pull() {
      incoming.resume()
    },
    cancel() {
      incoming.removeAllListeners('data')
      incoming.removeAllListeners('end')
      incoming.removeAllListeners('close')
      incoming.resume()
    },
  })
}
