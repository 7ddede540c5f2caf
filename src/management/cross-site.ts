import { hostsThatDiffer, warnOfHosts } from '../http/same-origin.js'
import { Refusal } from './fault.js'

/** A browser's statement about where a request comes from. */
export type SiteOptions = { readonly allowedOrigins: ReadonlySet<string> }

/**
 * Refuses a change that a page of another site asked a browser for.
 *
 * `Sec-Fetch-Site` and `Origin` are forbidden header names (Fetch §2.2.2): no page can forge them. Callers that are no browsers send neither. Where the
 * browser says `same-origin` it has compared the page with the address that it asked for, which a proxy may have changed since.
 *
 * @throws Refusal `cross_site`
 */
export function refuseCrossSite(request: Request, { allowedOrigins }: SiteOptions): void {
  const origin = request.headers.get('origin')
  if (origin !== null && allowedOrigins.has(origin)) return
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin') return
  if (site !== null && site !== 'none') throw crossSite()
  const own = new URL(request.url).origin
  if (origin === null || origin === own) return
  if (site !== null) throw crossSite()
  const hosts = hostsThatDiffer(origin, own)
  warnOfHosts(hosts)
  throw crossSite(`${hosts}. If both are this site, have the proxy forward Host and the scheme, or add the first to allowedOrigins`)
}

function crossSite(why = 'to allow this origin, add it to allowedOrigins'): Refusal {
  return new Refusal('cross_site', `changes requested by a page of another origin are refused: ${why}`)
}

/** The CORS fields of an answer: none, unless the request comes from an allowed origin. */
export function corsHeaders(request: Request, { allowedOrigins }: SiteOptions): { readonly [name: string]: string } {
  if (allowedOrigins.size === 0) return {}
  const origin = request.headers.get('origin')
  if (origin === null || !allowedOrigins.has(origin)) return { vary: 'Origin' }
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate',
  }
}

/** The further fields of the answer to a preflight of an allowed origin. */
export function preflightHeaders(allow: string): { readonly [name: string]: string } {
  return {
    'access-control-allow-methods': allow,
    'access-control-allow-headers': 'Authorization, Content-Type, Idempotency-Key, If-Match, X-Requested-With',
    'access-control-max-age': '600',
  }
}
