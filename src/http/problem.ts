import { CODES, type Code } from '../errors.js'
import type { WhyMalformed } from './why-malformed.js'

/** A problem document (RFC 9457). Its `type` is omitted, which means `about:blank`: the title is the status phrase. */
export type Problem = {
  readonly title: string
  readonly status: number
  readonly detail: string
  /** A code from the code table, for programs. */
  readonly code: Code
}

/** A framework-independent response. */
export type PlainResponse = {
  /** The reason for the refusal, regardless of the body that the host sends. */
  readonly code: RefusedCode
  readonly status: number
  /** Field names are in lower case. */
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

/** The codes with which a request can be refused over HTTP. */
export type RefusedCode =
  | 'credential_missing'
  | 'credential_malformed'
  | 'token_invalid'
  | 'token_inactive'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_revoked'
  | 'owner_denied'
  | 'ip_denied'
  | 'cross_site'
  | 'scope_insufficient'
  | 'resource_denied'
  | 'rate_limited'
  | 'store_unavailable'
  | 'misconfigured'

const TITLES: { readonly [status: number]: string } = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Returns the phrase of a status as in RFC 9110 §15. */
export function titleOf(status: number): string {
  return TITLES[status] ?? ''
}

const DETAILS: { readonly [Name in RefusedCode]: string } = {
  credential_missing: 'This resource requires a token.',
  credential_malformed: 'The request carries a malformed credential, or more than one.',
  token_invalid: 'The token is not valid.',
  token_inactive: 'The token is deactivated.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  token_revoked: 'The token was revoked.',
  owner_denied: 'The owner of the token no longer has access.',
  ip_denied: 'The token cannot be used from this address.',
  cross_site: 'The request came from another origin.',
  scope_insufficient: 'The token lacks a required scope.',
  resource_denied: 'The token has no access to this resource.',
  rate_limited: 'Too many requests with this token.',
  store_unavailable: 'Access cannot be decided at the moment.',
  misconfigured: 'The server is not set up correctly.',
}

/** Maps codes that an unauthenticated caller must not be able to distinguish (malformed, unknown, wrong secret) to one code. */
const PUBLIC_CODES: { readonly [code: string]: RefusedCode } = {
  token_malformed: 'token_invalid',
  token_unknown: 'token_invalid',
  secret_mismatch: 'token_invalid',
}

/** Maps an internal code to the code for the response. An unknown code means that no decision was made. */
export function publicCode(code: unknown): RefusedCode {
  if (typeof code !== 'string') return 'store_unavailable'
  if (Object.hasOwn(PUBLIC_CODES, code)) return PUBLIC_CODES[code] ?? 'store_unavailable'
  return isRefusedCode(code) ? code : 'store_unavailable'
}

/** Creates the problem document of a code. `howTo` explains how to send a token when none is present or readable; `why` explains why it is not readable. */
export function problemOf(code: RefusedCode, howTo?: string, why?: WhyMalformed): Problem {
  const status = CODES[code]
  const fault = code === 'credential_missing' ? 'This resource requires a token' : why
  return {
    title: titleOf(status),
    status,
    detail: fault === undefined || howTo === undefined ? DETAILS[code] : `${fault}: ${howTo}.`,
    code,
  }
}

function isRefusedCode(code: string): code is RefusedCode {
  return Object.hasOwn(DETAILS, code)
}
