import { corsHeaders, type SiteOptions } from './cross-site.js'

/** Adds the fields that every response of the API has. */
export function finish(response: Response, request: Request, settings: SiteOptions): Response {
  const headers = new Headers(response.headers)
  headers.set('cache-control', 'no-store')
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  for (const [name, value] of Object.entries(corsHeaders(request, settings))) headers.append(name, value)
  if (!headers.has('access-control-allow-origin')) headers.set('cross-origin-resource-policy', 'same-origin')
  return new Response(response.body, { status: response.status, headers })
}
