import type { Token } from './types.js'

const SOON_MS = 14 * 86_400_000

/** The status of a token as the page shows it, with two variants of active. */
export type Standing = Token['status'] | 'expiring' | 'rotating'

/** Returns the current status of a token, which may become valid or expire while the page is open. */
export function standingOf(token: Token, now: number = Date.now()): Standing {
  if (token.status !== 'active' && token.status !== 'pending') return token.status
  if (token.notBefore !== undefined && Date.parse(token.notBefore) > now) return 'pending'
  const left = token.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(token.expiresAt) - now
  if (left <= 0) return 'expired'
  if (token.replacedById !== undefined) return 'rotating'
  return left < SOON_MS ? 'expiring' : 'active'
}
