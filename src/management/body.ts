import { ByteBuffer } from '../http/byte-buffer.js'
import { fieldsWhere } from '../model/fields.js'
import { fault, RequestFault } from './fault.js'
import { checkParsed, parseStrictJson } from './json.js'

// RFC 8259 §8.1 and §11: JSON is UTF-8 and its media type has no parameters, but clients send `charset` anyway.
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8")[ \t]*)?$/i

/**
 * Refuses a body that is not declared as JSON, and a change that a form on another site could have sent. Without a body, a change still needs the JSON content
 * type or an `X-Requested-With` header, which no form can set.
 *
 * @throws RequestFault `media_type_unsupported`
 */
export function checkMediaType(headers: Headers): void {
  const type = headers.get('content-type')
  if (type === null ? !headers.has('x-requested-with') : !JSON_TYPE.test(type.trim())) {
    throw unsupported('content-type', 'send Content-Type: application/json; a request without a body may send X-Requested-With instead')
  }
  const coding = headers.get('content-encoding')
  if (coding !== null && coding.trim().toLowerCase() !== 'identity') throw unsupported('content-encoding', 'send the body uncompressed')
}

/** Length of the shortest useful body: `{"a":1}`. */
const SHORTEST = 7
const TAKEN = 'something read the body before latchkey: mount latchkey before any body parser'

/**
 * The state of the body before latchkey reads it: `parsedBody` is the result of the host's body parser, and `bodyTaken` indicates whether anything had read
 * the body.
 */
export type BodySource = {
  readonly parsedBody?: unknown
  readonly bodyTaken?: boolean | undefined
  /** Set if Node itself delivers the body, and nothing has read it. */
  readonly bodyUnread?: boolean | undefined
}

/**
 * Reads the JSON body of a request. Returns `undefined` if there is none. Refuses a body that was sent but did not arrive.
 *
 * Parses text or bytes that a body parser left.
 *
 * @throws RequestFault `payload_too_large`, before the whole body is read
 * @throws RequestFault `invalid_input`
 */
export async function readBody(
  request: Request,
  { parsedBody: parsed, bodyTaken, bodyUnread }: BodySource,
  maxBytes: number,
): Promise<unknown> {
  const { headers } = request
  checkMediaType(headers)
  const text = parsed === undefined ? await readText(request, maxBytes) : textOf(parsed, maxBytes)
  if (text === '') {
    if (bodyTaken === true || parsed !== undefined || wasLost(headers, bodyUnread === true)) throw fault('body', [], TAKEN)
    return undefined
  }
  if (text !== undefined) return checkDeclared(headers, parseStrictJson(text))
  // Body parsers leave an empty object or null when they parsed nothing.
  if (isEmpty(parsed) && !(Number(headers.get('content-length') ?? SHORTEST) < SHORTEST)) throw fault('body', [], TAKEN)
  const size = sizeOf(parsed)
  if (size > maxBytes) throw tooLarge(maxBytes)
  checkParsed(parsed)
  return parsed
}

/** Returns whether a body that is now empty may have had content. A chunked body states no length, but one that nothing else had read is complete. */
function wasLost(headers: Headers, isUnread: boolean): boolean {
  const length = headers.get('content-length')
  return length === null ? headers.has('transfer-encoding') && !isUnread : Number(length) !== 0
}

function isEmpty(parsed: unknown): boolean {
  return parsed === null || (typeof parsed === 'object' && Object.keys(parsed).length === 0)
}

const INSTANTS = fieldsWhere(({ kind, set }) => kind === 'instant' && set !== undefined)

/**
 * Refuses instants that are not strings. In JSON they are ISO 8601; only TypeScript callers may use milliseconds.
 *
 * @throws RequestFault `invalid_input`
 */
export function checkInstants(body: unknown): void {
  const wrong = INSTANTS.find((name) => typeof Reflect.get(Object(body), name) === 'number')
  if (wrong !== undefined)
    throw fault('body', [wrong], 'must be an ISO 8601 instant with date, time and zone, such as 2030-01-31T12:00:00Z')
}

function checkDeclared(headers: Headers, value: unknown): unknown {
  if (!headers.has('content-type')) throw unsupported('content-type', 'send Content-Type: application/json with a body')
  return value
}

async function readText(request: Request, maxBytes: number): Promise<string | undefined> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes)
  if (request.bodyUsed) throw fault('body', [], TAKEN)
  if (request.body === null) return ''
  const reader = request.body.getReader()
  const buffer = new ByteBuffer(maxBytes)
  for (;;) {
    const chunk = await readChunk(reader)
    if (chunk === undefined) return decode(buffer.bytes)
    if (buffer.add(chunk)) continue
    reader.cancel().catch(() => undefined)
    throw tooLarge(maxBytes)
  }
}

async function readChunk(reader: { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> }): Promise<Uint8Array | undefined> {
  try {
    const { value } = await reader.read()
    return value
  } catch {
    throw fault('body', [], 'the body was cut off, or something read it first')
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw fault('body', [], 'the body is not UTF-8')
  }
}

// If the host parses bodies as text or bytes, the strict parsing happens here.
function textOf(parsed: unknown, maxBytes: number): string | undefined {
  const bytes = typeof parsed === 'string' ? new TextEncoder().encode(parsed) : parsed
  if (!(bytes instanceof Uint8Array)) return undefined
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes)
  return decode(bytes)
}

function sizeOf(parsed: unknown): number {
  try {
    return new TextEncoder().encode(JSON.stringify(parsed) ?? '').length
  } catch {
    throw fault('body', [], 'must be plain JSON')
  }
}

function tooLarge(maxBytes: number): RequestFault {
  return new RequestFault([{ in: 'body', pointer: '#', detail: `the body is larger than ${maxBytes} bytes` }], 'payload_too_large')
}

function unsupported(header: string, detail: string): RequestFault {
  return new RequestFault([{ in: 'header', pointer: `#/${header}`, detail }], 'media_type_unsupported')
}
