import type { Token } from './types.js'

const SOON_MS = 14 * 86_400_000

/** How a token stands, as people see it: its status, with two shades of active. */
export type Standing = Token['status'] | 'expiring' | 'rotating'

/** How a token stands now: its beginning and its end come while the page is open. */
export function standingOf(token: Token, now: number = Date.now()): Standing {
  if (token.status !== 'active' && token.status !== 'pending') return token.status
  if (token.notBefore !== undefined && Date.parse(token.notBefore) > now) return 'pending'
  const left = token.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(token.expiresAt) - now
  if (left <= 0) return 'expired'
  if (token.replacedById !== undefined) return 'rotating'
  return left < SOON_MS ? 'expiring' : 'active'
}
