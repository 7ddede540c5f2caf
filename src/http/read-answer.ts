import type { Principal, RateState } from '../model/principal.js'
import { readRates } from './rate-fields.js'

type RefusedAnswer = {
  readonly code: string
  readonly retryAfterSeconds: number | undefined
  readonly rates: readonly RateState[] | undefined
}

/** A value of unknown shape whose fields may contain anything. Plain property reads are cheaper than `Reflect.get`. */
type Unread<Field extends string> = { readonly [Name in Field]?: unknown }

/** Returns the principal of an answer. The answer is untrusted: only the exact shape of a verification admits a request. */
export function readPrincipal(answer: unknown): Principal | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { ok } = answer as Unread<'ok'>
  if (ok !== true) return undefined
  const { principal } = answer as Unread<'principal'>
  return isPrincipal(principal) ? principal : undefined
}

/** Returns the refusal in an answer, if it is one. */
export function readRefusal(answer: unknown): RefusedAnswer | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { ok, code, retryAfterSeconds, rates } = answer as Unread<'ok' | 'code' | 'retryAfterSeconds' | 'rates'>
  if (ok !== false || typeof code !== 'string') return undefined
  return { code, retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined, rates: readRates(rates) }
}

function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== 'object' || value === null) return false
  const { tokenId, allows } = value as Unread<'tokenId' | 'allows'>
  return typeof tokenId === 'string' && tokenId !== '' && typeof allows === 'function'
}
