import * as http from 'node:http'
import * as https from 'node:https'
import { ADDRESS_REFUSED, type Destination } from './destination.js'

/** The outcome of one attempt. */
export type Outcome =
  | {
      readonly delivered: true
      readonly failure?: undefined
      readonly waitMs?: undefined
      readonly gone?: undefined
      readonly refused?: undefined
    }
  | {
      readonly delivered: false
      /** A short code: `status_500`, `timeout`, `address_refused`. */
      readonly failure: string
      /** How long the receiver asks to wait. */
      readonly waitMs?: number
      /** The receiver says that it no longer exists. */
      readonly gone?: true
      /** The receiver refuses this event, whenever it is sent: `sure`, or `likely` if it accepts others. */
      readonly refused?: 'sure' | 'likely'
    }

/** One request to one receiver. */
export type Delivery = {
  readonly destination: Destination
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  readonly timeoutMs: number
  readonly ca: string | undefined
  readonly signal: AbortSignal
  /** The current time, for dates in the receiver's response. */
  readonly now: number
}

/** The limit for reading a response. Only its status matters; the rest is read so that the connection can close cleanly. */
const MAX_BYTES = 64 * 1024
const MAX_DRAIN_MS = 1_000
/** Statuses that can only concern the content of the request (RFC 9110 §15.5.14 and §15.5.21). */
const ABOUT_EVENT: ReadonlySet<number> = new Set([413, 422])
/**
 * The 4xx statuses that concern every event alike: the credentials are wrong, or the receiver is gone or overloaded. Any other 4xx may concern a single
 * event. A 400 may also concern all of them, because receivers use it for a signature that they cannot verify.
 */
const ABOUT_ENDPOINT: ReadonlySet<number> = new Set([401, 407, 408, 410, 425, 429])

/** Posts once to a checked address, without following redirects. Never rejects. */
export function send(delivery: Delivery): Promise<Outcome> {
  const { destination, headers, body, timeoutMs, ca, signal, now } = delivery
  const { url, lookup } = destination
  return new Promise((resolve) => {
    let outcome: Outcome | undefined
    let request: http.ClientRequest | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = (otherwise: string): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      // Once the status is known, nothing the receiver does changes the outcome.
      resolve(outcome ?? { delivered: false, failure: otherwise })
      request?.destroy()
    }
    const stop = (): void => end('stopped')
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop)
    timer = setTimeout(() => end('timeout'), timeoutMs)
    try {
      request = (url.protocol === 'https:' ? https : http).request(url, {
        method: 'POST',
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        // Uses a new connection, never one from an earlier lookup.
        agent: false,
        lookup,
        // Overrides the environment.
        rejectUnauthorized: true,
        ...(ca !== undefined && { ca }),
      })
    } catch (error) {
      return end(failureOf(error))
    }
    // Stays registered for the life of the request, because an unhandled error event would end the process.
    request.on('error', (error) => end(failureOf(error)))
    request.on('close', () => end('connection_closed'))
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      end('status_101')
    })
    request.on('response', (response) => {
      outcome = outcomeOf(response, now)
      clearTimeout(timer)
      timer = setTimeout(() => end('timeout'), Math.min(MAX_DRAIN_MS, timeoutMs))
      let read = 0
      response.on('data', (piece: Buffer) => {
        read += piece.length
        if (read > MAX_BYTES) end('too_long')
      })
      response.on('error', () => end('connection_closed'))
      response.on('end', () => end('ended'))
    })
    request.end(body)
  })
}

function outcomeOf({ statusCode = 0, headers }: http.IncomingMessage, now: number): Outcome {
  if (statusCode >= 200 && statusCode < 300) return { delivered: true }
  const waitMs = waitOf(headers['retry-after'], now)
  const refused = refusalOf(statusCode)
  return {
    delivered: false,
    failure: statusCode >= 300 && statusCode < 400 ? `redirected_${statusCode}` : `status_${statusCode}`,
    ...(waitMs !== undefined && { waitMs }),
    ...(statusCode === 410 && { gone: true }),
    // With Retry-After, the refusal is temporary.
    ...(refused !== undefined && waitMs === undefined && { refused }),
  }
}

function refusalOf(status: number): 'sure' | 'likely' | undefined {
  if (ABOUT_EVENT.has(status)) return 'sure'
  return status >= 400 && status < 500 && !ABOUT_ENDPOINT.has(status) ? 'likely' : undefined
}

// RFC 9110 §10.2.3
function waitOf(field: string | undefined, now: number): number | undefined {
  if (field === undefined) return undefined
  const ms = /^\d{1,9}$/.test(field) ? Number(field) * 1000 : Date.parse(field) - now
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

function failureOf(error: unknown): string {
  const code: unknown = Reflect.get(Object(error), 'code')
  const syscall: unknown = Reflect.get(Object(error), 'syscall')
  if (typeof code !== 'string') return 'connection_failed'
  if (code === ADDRESS_REFUSED) return 'address_refused'
  // Node's resolver reports `queryA`, and its codes also occur elsewhere.
  if (code === 'ENOTFOUND' || code.startsWith('EAI_') || String(syscall).startsWith('query')) return 'name_not_found'
  if (code.startsWith('HPE_')) return 'answer_garbled'
  if (/CERT|^UNABLE_TO|TLS|SSL|^EPROTO$|^HOSTNAME_MISMATCH$|SIGNATURE|CRL/.test(code)) return 'tls_failed'
  if (code === 'ECONNREFUSED') return 'connection_refused'
  return 'connection_closed'
}
