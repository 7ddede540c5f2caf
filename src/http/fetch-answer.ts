import { CODES, type Code, LatchkeyError } from '../errors.js'
import { advised } from '../store/fault-places.js'
import { ByteBuffer } from './byte-buffer.js'

/** Thrown when a body exceeds the size limit. */
export class TooLargeError extends Error {
  readonly maxBytes: number

  constructor(maxBytes: number) {
    super('the body is too large')
    this.maxBytes = maxBytes
  }
}

/** A request or a response with a body. */
type Bodied = Pick<Request, 'headers' | 'body'>

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** Creates a JSON response that must not be cached. */
export function answerJson(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...COMMON, 'content-type': 'application/json' } })
}

/** Creates a response with a problem document (RFC 9457). */
export function answerProblem(code: Code, detail: string, headers: Record<string, string> = {}): Response {
  const status = CODES[code]
  return new Response(JSON.stringify({ status, detail, code }), {
    status,
    headers: { ...COMMON, ...headers, 'content-type': 'application/problem+json' },
  })
}

/**
 * Explains why a fetch handler cannot answer: Express and Koa call it with their own objects, and ignore the response. `others` are the other arguments of
 * the call. If the first one is a Node response, it is ended with 503, because otherwise the client would wait forever.
 *
 * @throws LatchkeyError `misconfigured`
 */
export function requireWebRequest(request: unknown, handler: string, [response]: readonly unknown[]): void {
  if (typeof Object(Object(request).headers).get === 'function') return
  const node = Object(response) as { statusCode?: number; readonly headersSent?: unknown; readonly end?: unknown }
  if (typeof node.end === 'function' && node.headersSent === false) {
    node.statusCode = CODES.store_unavailable
    node.end()
  }
  const means = 'mount it with getRequestListener of @hono/node-server, or in Hono pass it c.req.raw'
  throw advised(new LatchkeyError('misconfigured', `${handler} was not called with a web Request: ${means}`))
}

/**
 * Reads the raw bytes of a body.
 *
 * @throws TooLargeError if the body exceeds `maxBytes`; no more than that is buffered
 */
export async function readRawBody(request: Bodied, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw new TooLargeError(maxBytes)
  const buffer = new ByteBuffer(maxBytes)
  const reader = request.body?.getReader()
  for (;;) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) return buffer.bytes
    if (buffer.add(chunk.value)) continue
    await reader?.cancel().catch(() => undefined)
    throw new TooLargeError(maxBytes)
  }
}

/**
 * Reads a body as UTF-8 text.
 *
 * @throws TooLargeError if the body exceeds `maxBytes`; no more than that is buffered
 */
export async function readRawText(bodied: Bodied, maxBytes: number): Promise<string> {
  return new TextDecoder().decode(await readRawBody(bodied, maxBytes))
}
