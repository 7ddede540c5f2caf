import { base64url, decodeProtectedHeader } from 'jose'
import { parseStrictJson } from '../../management/json.js'

/** The checked claims, each in its required form (RFC 7519 §4.1, RFC 9068 §2.2). */
export type Claims = {
  readonly iss: string
  readonly aud: readonly string[]
  readonly exp: number
  readonly iat: number
  readonly nbf: number | undefined
  readonly sub: string
  readonly jti: string | undefined
  readonly all: Readonly<Record<string, unknown>>
}

// RFC 7515 §4.1.2–4.1.6: keys that a token contains or points to are never trusted. RFC 7515 §4.1.11 `crit` and RFC 7516 `zip` are not supported.
const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'zip', 'b64'] as const
/** Longer tokens are refused without being parsed, as in a request. */
export const MAX_LENGTH = 8192
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Checks whether a string has the form of a compact JWT. */
export function looksSigned(token: unknown): token is string {
  return typeof token === 'string' && token.length <= MAX_LENGTH && COMPACT.test(token)
}

/** Checks that the header names an accepted algorithm and type, and contains no forbidden member. */
export function isGoodHeader(token: string, algorithms: readonly string[], types: readonly string[]): boolean {
  try {
    const header: Record<string, unknown> = { ...decodeProtectedHeader(token) }
    if (REFUSED_HEADERS.some((name) => name in header)) return false
    const { alg, typ, kid } = header
    if (typeof alg !== 'string' || !algorithms.includes(alg)) return false
    if (kid !== undefined && (typeof kid !== 'string' || kid.length > 200)) return false
    return typeof typ === 'string' && types.includes(typ.toLowerCase().replace(/^application\//, ''))
  } catch {
    return false
  }
}

/** Reads the claims of a token whose signature was verified. Returns `undefined` if a claim is missing, duplicated or of the wrong type. */
export function readClaims(token: string): Claims | undefined {
  const all = decode(token)
  if (all === undefined) return undefined
  const { iss, sub, jti, exp, iat, nbf } = all
  const aud = typeof all.aud === 'string' ? [all.aud] : all.aud
  const good =
    isText(iss) &&
    isText(sub) &&
    (jti === undefined || isText(jti)) &&
    Array.isArray(aud) &&
    aud.every(isText) &&
    isInstant(exp) &&
    isInstant(iat) &&
    (nbf === undefined || isInstant(nbf))
  return good ? { iss, aud, exp, iat, nbf, sub, jti, all } : undefined
}

/** Returns the issuer that an unverified token claims, only to select its verifier. */
export function claimedIssuer(token: string): unknown {
  return decode(token)?.iss
}

function decode(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(base64url.decode(token.split('.')[1] ?? ''))
    const claims = parseStrictJson(text)
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? (claims as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

// NumericDate (RFC 7519 §2), limited to calendar dates: no NaN, and no infinity from 1e999.
function isInstant(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 253_402_300_799
}
