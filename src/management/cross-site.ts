import { Refusal } from './fault.js'

/** A browser's statement about where a request comes from. */
export type SiteOptions = { readonly allowedOrigins: ReadonlySet<string> }

/**
 * Refuses a change that a page of another site asked a browser for.
 *
 * `Sec-Fetch-Site` and `Origin` are forbidden header names (Fetch §2.2.2): no page can forge them. Callers that are no browsers send neither.
 *
 * @throws Refusal `cross_site`
 */
export function refuseCrossSite(request: Request, { allowedOrigins }: SiteOptions): void {
  const origin = request.headers.get('origin')
  if (origin !== null && allowedOrigins.has(origin)) return
  const site = request.headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin' && site !== 'none') throw crossSite()
  if (origin !== null && !isOwnOrigin(origin, new URL(request.url), site === 'same-origin')) throw crossSite()
}

// Behind a proxy that ends TLS the scheme seen here is not the one of the page; the browser's own word then decides, and the host must agree.
function isOwnOrigin(origin: string, own: URL, sameOrigin: boolean): boolean {
  if (origin === own.origin) return true
  if (!sameOrigin || !URL.canParse(origin)) return false
  return new URL(origin).hostname === own.hostname && new URL(origin).origin === origin
}

function crossSite(): Refusal {
  return new Refusal('cross_site', 'changes are refused when a page of another origin asks for them')
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
