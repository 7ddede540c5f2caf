import { aboutToken } from '../activity/about-token.js'
import { rootIdOf } from '../cache/entry.js'
import type { RefusalCode } from '../errors.js'
import { isInstant } from '../policy/instant.js'
import type { Lifecycle } from '../policy/status.js'
import type { Filtered } from '../store/compile-filter.js'
import type { Context } from './context.js'

/**
 * Records that a rotated token was presented, with the right secret, after it ended. Its holder has a successor, so someone else may have the old token.
 * With `onReuse: 'revoke_lineage'`, the whole lineage is revoked. Both happen in the background.
 */
export function noteReuse(
  context: Context,
  token: Filtered,
  seen: { readonly lifecycle: Lifecycle; readonly code: RefusalCode; readonly now: number; readonly ip: string | undefined },
): void {
  const { lifecycle, code, now, ip } = seen
  if (!isOver(lifecycle, now)) return
  context.reuses.note(token.id, () => ({ actorId: `token:${token.id}`, ...aboutToken(token), code }), now, ip)
  context.lineages?.note(rootIdOf(token), token, now)
  context.scheduleFlush()
}

/** Returns whether the token has certainly ended. Revocation is final, so a corrupt instant, from the record or the clock, is not enough for it. */
function isOver({ revokedAt, expiresAt }: Lifecycle, now: number): boolean {
  if (!isInstant(now)) return false
  return isInstant(revokedAt) || (isInstant(expiresAt) && expiresAt <= now)
}
