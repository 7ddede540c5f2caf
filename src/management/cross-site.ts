import { hostsThatDiffer, warnOfHosts } from '../http/same-origin.js'
import { Refusal } from './fault.js'

/** The origins whose pages may call the API. */
export type SiteOptions = { readonly allowedOrigins: ReadonlySet<string> }

/**
 * Refuses a change that a page on another site caused a browser to send.
 *
 * `Sec-Fetch-Site` and `Origin` are forbidden header names (Fetch §2.2.2), so no page can forge them. Callers other than browsers send neither. For
 * `same-origin`, the browser has compared the page with the address that it requested, which a proxy may since have changed.
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

/**
 * Refuses a read that a page on another site caused, for example as an image URL. That page cannot read the response, but the browser sends the person's
 * cookies with the request, so it would count against that person's limit. A person may still follow a link from another site.
 *
 * @throws Refusal `cross_site`
 */
export function refuseForeignRead(request: Request, { allowedOrigins }: SiteOptions): void {
  const { headers } = request
  const [origin, site] = [headers.get('origin'), headers.get('sec-fetch-site')]
  if (site !== 'cross-site' && site !== 'same-site') return
  if (origin !== null && allowedOrigins.has(origin)) return
  if (headers.get('sec-fetch-mode') === 'navigate' && headers.get('sec-fetch-dest') === 'document') return
  throw new Refusal('cross_site', 'reads by a page on another origin are refused: to allow this origin, add it to allowedOrigins')
}

function crossSite(why = 'to allow this origin, add it to allowedOrigins'): Refusal {
  return new Refusal('cross_site', `changes requested by a page on another origin are refused: ${why}`)
}

/** Returns the CORS fields of a response. There are none unless the request comes from an allowed origin. */
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

/** Returns additional fields for the preflight response to an allowed origin, whose pages may send the token in these fields. */
export function preflightHeaders(allow: string, credentialFields: readonly string[]): { readonly [name: string]: string } {
  const own = credentialFields.filter((name) => name !== 'authorization')
  return {
    'access-control-allow-methods': allow,
    'access-control-allow-headers': ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'X-Requested-With', ...own].join(', '),
    'access-control-max-age': '600',
  }
}
