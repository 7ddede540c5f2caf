import type { IncomingMessage, ServerResponse } from 'node:http'
import { endpointName } from '../../../src/activity/endpoint-name.js'
import type { Guard, GuardOutcome } from '../../../src/http/admission.js'
import type { PlainResponse } from '../../../src/http/problem.js'
import type { Platform } from '../../../src/http/request.js'
import { tellRoute } from '../../../src/http/tell-route.js'
import { followUse } from '../node/follow-use.js'
import { mountOfRoute, type Route, type Routed } from '../node/mount-of-route.js'
import { expressBelievesCallers, fastifyBelievesCallers } from '../node/trust.js'
import { keepVary, withVary } from '../node/vary.js'

/** A request under Nest: the properties that Express and Fastify have in common. */
export type HttpRequest = {
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly params: { readonly [name: string]: string }
  readonly query: unknown
  readonly body: unknown
  readonly ip?: string | undefined
}

/** A response under Nest: either Express's own, or a Fastify reply that wraps Node's. */
export type HttpResponse = ServerResponse | FastifyReplyLike

type FastifyReplyLike = {
  readonly raw: ServerResponse
  readonly sent: boolean
  code(status: number): FastifyReplyLike
  header(name: string, value: string): FastifyReplyLike
  getHeader(name: string): unknown
  send(body: Buffer): unknown
}

/** The parts of a request in which the two platforms differ. */
type Inside = Routed & {
  readonly route?: Route | undefined
  readonly raw?: IncomingMessage
  readonly rawHeaders?: readonly string[]
  readonly ips?: unknown
  readonly protocol?: unknown
  readonly app?: { get(name: string): unknown }
  readonly routeOptions?: { readonly url?: unknown }
}

/** Reads a request under Nest. */
export const platform: Platform<HttpRequest> = {
  read: (request) => ({ method: request.method, headers: rawHeadersOf(request), ip: request.ip }),
  isSecure: (request) => (request as Inside).protocol === 'https',
  trustsProxy(request) {
    const { raw, ips, app } = request as Inside
    // Fastify sets `ips` on a request only if `trustProxy` is set.
    return raw === undefined ? Boolean(app?.get('trust proxy')) : ips !== undefined
  },
  believesCallers(request) {
    const { raw, app } = request as Inside
    return raw === undefined ? expressBelievesCallers(app) : fastifyBelievesCallers(request)
  },
}

function rawHeadersOf(request: HttpRequest): readonly string[] {
  const { raw, rawHeaders } = request as Inside
  return raw?.rawHeaders ?? rawHeaders ?? []
}

/** Attaches the principal of an admitted request and counts its use when the response is over, or returns the response that refuses it. */
export function admitAs(outcome: GuardOutcome, guard: Guard, request: HttpRequest, response: HttpResponse): PlainResponse | undefined {
  const { principal, use } = outcome
  if (outcome.response !== undefined) return outcome.response
  const own = { value: principal, writable: true, enumerable: true, configurable: true }
  if (!Reflect.defineProperty(request, 'principal', own)) {
    tellRoute(guard, 'LATCHKEY_W015', guard.onWarning, { route: endpointOf(request) })
    return guard.refuse('misconfigured', request)
  }
  if (guard.vary !== undefined && !nodeResponse(response).headersSent) {
    setHeader(response, 'vary', withVary(response.getHeader('vary') as string | undefined, guard.vary))
    keepVary(nodeResponse(response), guard.vary)
  }
  followUse(use, nodeResponse(response), endpointOf, request, principal)
  return undefined
}

/** Sets the header fields of a response, except the content type. */
export function setHeaders(response: HttpResponse, { headers }: PlainResponse): void {
  if (nodeResponse(response).headersSent) return
  for (const [name, value] of Object.entries(headers)) if (name !== 'content-type') setHeader(response, name, value)
}

/** Sends a response unchanged. */
export function send(response: HttpResponse, { status, headers, body }: Omit<PlainResponse, 'code'>): void {
  // A response has already started, so the only way to refuse is to cut it off.
  if (nodeResponse(response).headersSent) return void nodeResponse(response).destroy()
  for (const [name, value] of Object.entries(headers)) setHeader(response, name, value)
  const bytes = Buffer.from(body)
  if ('raw' in response) return void response.code(status).send(bytes)
  response.statusCode = status
  response.setHeader('content-length', bytes.byteLength)
  response.end(bytes)
}

function setHeader(response: HttpResponse, name: string, value: string): void {
  if ('raw' in response) response.header(name, value)
  else response.setHeader(name, value)
}

function nodeResponse(response: HttpResponse): ServerResponse {
  return 'raw' in response ? response.raw : response
}

/** Returns the route: the pattern that matched, never the requested path. */
export function endpointOf(request: HttpRequest): string {
  const { route, routeOptions, app } = request as Inside
  const path = routeOptions?.url ?? route?.path
  const mount = typeof path !== 'string' ? undefined : app === undefined ? '' : mountOfRoute(app, route, request as Inside)
  return mount === undefined ? '' : endpointName(request.method, String(path), mount)
}
