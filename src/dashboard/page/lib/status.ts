import { t } from './text.js'
import type { Token } from './types.js'

const SOON_MS = 14 * 86_400_000

/** How a token stands, as people see it: its status, with two shades of active. */
export type Standing = Token['status'] | 'expiring' | 'rotating'

export function standingOf(token: Token, now: number = Date.now()): Standing {
  if (token.status !== 'active') return token.status
  if (token.replacedById !== undefined) return 'rotating'
  return token.expiresAt !== undefined && Date.parse(token.expiresAt) - now < SOON_MS ? 'expiring' : 'active'
}

export const standingText = (token: Token): string => t(`status.${standingOf(token)}`)
