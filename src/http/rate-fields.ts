import type { RateState } from '../model/principal.js'

const NAME = /^[a-z][a-z0-9_-]{0,31}$/
/** RFC 9651 §3.3.1: an Integer has at most 15 digits. */
const MAX_INTEGER = 999_999_999_999_999
const MAX_RETRY_SECONDS = 86_400
/** The longest `Retry-After` for faults. A known later time, such as next month's quota, is not shortened. */
const MAX_RESET_SECONDS = 366 * 86_400

/**
 * Creates the fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11). For each named limit, they state the quota with its window,
 * and how much remains until the reset.
 */
export function rateFields(rates: readonly RateState[]): { readonly [name: string]: string } {
  return {
    'ratelimit-policy': rates.map(({ name, limit, windowSeconds }) => `"${name}";q=${limit}${parameter('w', windowSeconds)}`).join(', '),
    ratelimit: rates.map(({ name, remaining, resetSeconds }) => `"${name}";r=${remaining}${parameter('t', resetSeconds)}`).join(', '),
  }
}

/** Creates the fields of a 429 about a token: `Retry-After`, and the state of the limits if it is known. */
export function limitedFields(retryAfterSeconds: unknown, rates?: readonly RateState[]): { readonly [name: string]: string } {
  const after = retryAfter(retryAfterSeconds, rates === undefined ? MAX_RETRY_SECONDS : MAX_RESET_SECONDS)
  // draft-ietf-httpapi-ratelimit-headers: nothing remains until the reset. The quota itself is unknown here.
  return { 'retry-after': after, ...(rates === undefined ? { ratelimit: `"token";r=0;t=${after}` } : rateFields(rates)) }
}

/** Creates the value of `Retry-After`. */
export function retryAfter(seconds: unknown, most: number = MAX_RETRY_SECONDS): string {
  return String(typeof seconds !== 'number' || Number.isNaN(seconds) ? 1 : Math.min(Math.max(Math.ceil(seconds), 1), most))
}

function parameter(name: string, value: number | undefined): string {
  return value === undefined ? '' : `;${name}=${value}`
}

/** Reads the rate states of a decision. Returns `undefined` if they are missing or cannot be written into a header field. */
export function readRates(given: unknown): readonly RateState[] | undefined {
  if (!Array.isArray(given) || given.length === 0) return undefined
  const states: readonly unknown[] = Array.from(given)
  return states.every(isState) ? states : undefined
}

function isState(value: unknown): value is RateState {
  if (typeof value !== 'object' || value === null) return false
  const at = (name: keyof RateState): unknown => Reflect.get(value, name)
  const name = at('name')
  if (typeof name !== 'string' || !NAME.test(name)) return false
  if (!isCount(at('limit')) || !isCount(at('remaining'))) return false
  return [at('resetSeconds'), at('windowSeconds')].every((seconds) => seconds === undefined || isCount(seconds))
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_INTEGER
}
