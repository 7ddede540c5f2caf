import { CODES, type Code } from '../errors.js'

/** The body was larger than is taken. */
export class TooLargeError extends Error {}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** A JSON answer that nobody keeps. */
export function answerJson(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...COMMON, 'content-type': 'application/json' } })
}

/** A problem document (RFC 9457). */
export function answerProblem(code: Code, detail: string, headers: Record<string, string> = {}): Response {
  const status = CODES[code]
  return new Response(JSON.stringify({ status, detail, code }), {
    status,
    headers: { ...COMMON, ...headers, 'content-type': 'application/problem+json' },
  })
}

/**
 * The bytes of a body as they came.
 *
 * @throws TooLargeError before more than `maxBytes` are kept
 */
export async function readRawBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw new TooLargeError()
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body?.getReader()
  for (;;) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) break
    size += chunk.value.byteLength
    if (size > maxBytes) {
      await reader?.cancel().catch(() => undefined)
      throw new TooLargeError()
    }
    chunks.push(chunk.value)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}
