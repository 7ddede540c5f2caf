import type { StoredToken, TokenStatus } from '../model/record.js'
import { MAX_INSTANT } from './instant.js'

/** The instants that determine the status of a token. */
export type Lifecycle = { readonly [Name in 'revokedAt' | 'deactivatedAt' | 'notBefore' | 'expiresAt']?: StoredToken[Name] | undefined }

/** The codes of a refusal because of a token's status. */
export type LifecycleRefusal = 'token_revoked' | 'token_inactive' | 'token_not_yet_valid' | 'token_expired'

/**
 * Returns the status of a token at an instant: the first that applies of revoked, inactive, pending, expired, active.
 *
 * Every comparison tests whether the token is still valid, so a corrupt instant (`NaN`, `null`, a string) of the token or the
 * clock never makes it valid.
 */
export function statusOf(token: Lifecycle, now: number): TokenStatus {
  if (token.revokedAt !== undefined) return 'revoked'
  if (token.deactivatedAt !== undefined) return 'inactive'
  if (!hasBegun(token.notBefore, now)) return 'pending'
  if (!isBeforeEnd(token.expiresAt, now)) return 'expired'
  return 'active'
}

/** Returns whether the expiry of a token has passed. The status of a token does not show this if the token is revoked, inactive or pending. */
export function hasExpired({ expiresAt }: Pick<Lifecycle, 'expiresAt'>, now: number): boolean {
  return expiresAt !== undefined && !isBeforeEnd(expiresAt, now)
}

/** Returns why a token is refused at an instant because of its status; `undefined` if it is active. */
export function refusalOf(token: Lifecycle, now: number): LifecycleRefusal | undefined {
  if (token.revokedAt !== undefined) return 'token_revoked'
  if (token.deactivatedAt !== undefined) return 'token_inactive'
  if (!hasBegun(token.notBefore, now)) return 'token_not_yet_valid'
  if (!isBeforeEnd(token.expiresAt, now)) return 'token_expired'
  return undefined
}

/** `notBefore` is inclusive. */
function hasBegun(notBefore: number | undefined, now: number): boolean {
  if (notBefore === undefined) return true
  return typeof notBefore === 'number' && typeof now === 'number' && notBefore <= now && notBefore >= 0
}

/** `expiresAt` is exclusive. If the clock is invalid, every token with an expiry has expired. */
function isBeforeEnd(expiresAt: number | undefined, now: number): boolean {
  if (typeof now !== 'number' || !(now >= 0 && now <= MAX_INSTANT)) return false
  if (expiresAt === undefined) return true
  return typeof expiresAt === 'number' && now < expiresAt && expiresAt <= MAX_INSTANT
}
