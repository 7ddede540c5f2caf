import type { StoredToken, TokenStatus } from '../model/record.js'
import { MAX_INSTANT } from './instant.js'

/** The instants that decide about a token. */
export type Lifecycle = { readonly [Name in 'revokedAt' | 'deactivatedAt' | 'notBefore' | 'expiresAt']?: StoredToken[Name] | undefined }

/** Why a token is refused for its status. */
export type LifecycleRefusal = 'token_revoked' | 'token_inactive' | 'token_not_yet_valid' | 'token_expired'

/**
 * The status of a token at an instant: the first that applies of revoked, inactive, pending, expired, active.
 *
 * Every comparison asks whether the token is still good, so that a corrupt instant (`NaN`, `null`, a string), of the token or of the
 * clock, never makes it so.
 */
export function statusOf(token: Lifecycle, now: number): TokenStatus {
  if (token.revokedAt !== undefined) return 'revoked'
  if (token.deactivatedAt !== undefined) return 'inactive'
  if (!hasBegun(token.notBefore, now)) return 'pending'
  if (!isBeforeEnd(token.expiresAt, now)) return 'expired'
  return 'active'
}

/** Why the token's status refuses it at an instant; `undefined` when it is active. */
export function refusalOf(token: Lifecycle, now: number): LifecycleRefusal | undefined {
  if (token.revokedAt !== undefined) return 'token_revoked'
  if (token.deactivatedAt !== undefined) return 'token_inactive'
  if (!hasBegun(token.notBefore, now)) return 'token_not_yet_valid'
  if (!isBeforeEnd(token.expiresAt, now)) return 'token_expired'
  return undefined
}

/** From `notBefore` on, inclusive. */
function hasBegun(notBefore: number | undefined, now: number): boolean {
  if (notBefore === undefined) return true
  return typeof notBefore === 'number' && typeof now === 'number' && notBefore <= now && notBefore >= 0
}

/** Until `expiresAt`, exclusive. A clock that does not tell the time is at the end of everything. */
function isBeforeEnd(expiresAt: number | undefined, now: number): boolean {
  if (typeof now !== 'number' || !(now >= 0 && now <= MAX_INSTANT)) return false
  if (expiresAt === undefined) return true
  return typeof expiresAt === 'number' && now < expiresAt && expiresAt <= MAX_INSTANT
}
