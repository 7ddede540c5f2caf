import { fieldValues, type HeaderSource } from './request.js'

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Finds out where a change comes from, for credentials that browsers send by themselves: `own` a page of the same origin, `other` a page of another,
 * `unknown` no browser that says so. Methods that change nothing (RFC 9110 §9.2.1) are always `own`.
 *
 * `Sec-Fetch-Site` and `Origin` are forbidden header names (Fetch §2.2.2): no page can forge them.
 */
export function originOf(method: string, headers: HeaderSource, host: string | undefined): 'own' | 'other' | 'unknown' {
  if (SAFE.has(method)) return 'own'
  const [site, ...more] = fieldValues(headers, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' && more.length === 0 ? 'own' : 'other'
  const origins = fieldValues(headers, 'origin')
  const [origin] = origins
  if (origin === undefined) return 'unknown'
  const own = host ?? fieldValues(headers, 'host')[0] ?? fieldValues(headers, ':authority')[0]
  return origins.length === 1 && own !== undefined && URL.canParse(origin) && new URL(origin).host === own.toLowerCase() ? 'own' : 'other'
}
