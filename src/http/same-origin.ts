import { quote } from '../policy/quote.js'
import { type OnWarning, warn } from './diagnostics.js'
import { fieldValues, type HeaderSource, isFlatList } from './request.js'

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Determines the origin of a change, for credentials that browsers send automatically: `own` for a page on the same origin, `other` for a page on another
 * origin, `unknown` when no browser states it. Safe methods (RFC 9110 §9.2.1) are always `own`, unless they open a WebSocket: browsers send credentials with it
 * from any page and let that page read the responses.
 *
 * Behind a proxy that ends TLS, a request arrives without it, so only a request that is known to have come over TLS (`isSecure`) tells the scheme of its own
 * origin. Pages that were not loaded over HTTP, such as those of browser extensions and applications, have no origin in common with a server.
 *
 * `Sec-Fetch-Site` and `Origin` are forbidden header names (Fetch §2.2.2): no page can forge them.
 */
export function originOf(
  method: string,
  headers: HeaderSource,
  host: string | undefined,
  isSecure: boolean | undefined,
  onWarning?: OnWarning,
): 'own' | 'other' | 'unknown' {
  if (SAFE.has(method) && !opensWebSocket(headers)) return 'own'
  const [site, ...more] = fieldValues(headers, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' && more.length === 0 ? 'own' : 'other'
  const origins = fieldValues(headers, 'origin')
  const [origin] = origins
  if (origin === undefined) return 'unknown'
  const own = (host ?? hostOf(headers) ?? '').toLowerCase()
  const secure = `https://${own}`
  if (origins.length === 1 && own !== '' && (origin === secure || (isSecure !== true && origin === `http://${own}`))) return 'own'
  warnOfHosts(hostsThatDiffer(origin, isSecure === true ? secure : own), onWarning)
  return 'other'
}

/**
 * Over HTTP/2, `:authority` is the host even if the sender also wrote `Host` (RFC 9113 §8.3.1). A web `Headers` has no pseudo-fields and rejects their
 * names.
 */
function hostOf(headers: HeaderSource): string | undefined {
  const authority = isFlatList(headers) ? fieldValues(headers, ':authority')[0] : undefined
  return authority ?? fieldValues(headers, 'host')[0]
}

/** Returns whether a request is the opening handshake of a WebSocket (RFC 6455 §4.1). Browsers always send both fields. */
export function opensWebSocket(headers: HeaderSource): boolean {
  return (
    fieldValues(headers, 'sec-websocket-version').length > 0 ||
    fieldValues(headers, 'upgrade').some((value) => value.toLowerCase().includes('websocket'))
  )
}

/** Describes the two hosts that differ, for a browser that sends only the page's origin. */
export function hostsThatDiffer(origin: string, own: string): string {
  return `the page’s origin is ${quote(origin)} and the request was sent to ${quote(own)}`
}

/** Warns about the first request only, because callers choose both names. */
export function warnOfHosts(hosts: string, onWarning?: OnWarning): void {
  warn('LATCHKEY_W012', onWarning, hosts, 'once')
}
