import { quote } from '../policy/quote.js'
import { type OnWarning, warn } from './diagnostics.js'
import { fieldValues, type HeaderSource } from './request.js'

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Finds out where a change comes from, for credentials that browsers send by themselves: `own` a page of the same origin, `other` a page of another,
 * `unknown` no browser that says so. Methods that change nothing (RFC 9110 §9.2.1) are always `own`.
 *
 * `Sec-Fetch-Site` and `Origin` are forbidden header names (Fetch §2.2.2): no page can forge them.
 */
export function originOf(
  method: string,
  headers: HeaderSource,
  host: string | undefined,
  onWarning?: OnWarning,
): 'own' | 'other' | 'unknown' {
  if (SAFE.has(method)) return 'own'
  const [site, ...more] = fieldValues(headers, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' && more.length === 0 ? 'own' : 'other'
  const origins = fieldValues(headers, 'origin')
  const [origin] = origins
  if (origin === undefined) return 'unknown'
  const own = host ?? fieldValues(headers, 'host')[0] ?? fieldValues(headers, ':authority')[0]
  if (origins.length === 1 && own !== undefined && URL.canParse(origin) && new URL(origin).host === own.toLowerCase()) return 'own'
  warnOfHosts(hostsThatDiffer(origin, own), onWarning)
  return 'other'
}

/** Says which two differ, where a browser names the page's origin and nothing else. */
export function hostsThatDiffer(origin: string, own: string | undefined): string {
  return `the page’s origin is ${quote(origin)} and the request was sent to ${quote(own ?? '')}`
}

/** Tells of the first request only: what the two are called is up to whoever sends them. */
export function warnOfHosts(hosts: string, onWarning?: OnWarning): void {
  warn('LATCHKEY_W012', onWarning, hosts, 'once')
}
