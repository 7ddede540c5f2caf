import { crossedNotices } from '../../activity/due-notices.js'
import type { StoredEvent } from '../../model/event.js'
import { ownFields } from '../../model/own-fields.js'
import type { ListedToken, StoredToken } from '../../model/record.js'
import type { Context } from '../../verify/context.js'
import { withLastUse } from './last-use.js'

/**
 * Returns the notices that a change makes due immediately. They are committed together with the change, so a crash cannot separate them. Skips notices that
 * were already written, for example when an expiry is moved back and forth.
 */
export async function noticesOf(context: Context, before: StoredToken, after: StoredToken, now: number): Promise<readonly StoredEvent[]> {
  const { prefix, notices } = context.settings
  const crossed = crossedNotices(before, await asListed(context, before, after, now), now, notices)
  const told = await Promise.all(crossed.map(({ id }) => context.store.events({ prefix, id, limit: 1 })))
  return crossed.filter((_, index) => told[index]?.length === 0)
}

// Recent use only matters for a rotated token whose overlap is shortened.
async function asListed(context: Context, before: StoredToken, after: StoredToken, now: number): Promise<ListedToken> {
  if (after.replacedById === undefined || before.expiresAt === after.expiresAt) return after
  const { prefix, id } = after
  const [listed] = await context.store.list({ prefix, ids: [id], now, limit: 1 })
  const { lastUsedAt, lastUsedIp } = withLastUse(context, listed ?? after)
  return ownFields({ ...after, ...(lastUsedAt !== undefined && { lastUsedAt }), ...(lastUsedIp !== undefined && { lastUsedIp }) })
}
