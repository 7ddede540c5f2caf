import { noticeEvent } from '../activity/due-notices.js'
import { tryEach } from '../activity/parts.js'
import type { UpkeepTimes } from '../activity/upkeep.js'
import type { StoredEvent } from '../model/event.js'
import type { ListedToken } from '../model/record.js'
import { UNUSED_GRACE_MS } from '../policy/notices.js'
import { statusOf } from '../policy/status.js'
import { firstEvents } from '../store/first-events.js'
import type { Context } from '../verify/context.js'
import { SYSTEM } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { commit, withChanges } from './lib/change.js'
import { withLastUse } from './lib/last-use.js'
import { noticesOf } from './lib/notices-of.js'
import { tell } from './lib/tell.js'

const PAGE = 200

/** Since when a token has been unused, and which threshold it has passed. */
type Idle = { readonly since: number; readonly thresholdMs: number }

/**
 * Looks through all tokens for those that have long been neither used nor changed. Writes one notice for each. With the `expiry.unused` option, deactivates the
 * token after a grace period. `since` is the instant up to which notices are complete. The grace period is measured against `sure`, the instant that the nodes
 * agree on.
 *
 * Each page is one small read, regardless of how many tokens are unused. Returns whether it reached the end.
 */
export async function watchIdle(context: Context, times: UpkeepTimes, goOn: () => Promise<boolean>): Promise<boolean> {
  const { now } = times
  const { prefix, notices } = context.settings
  const shortest = Math.min(notices.unusedMs ?? Number.POSITIVE_INFINITY, notices.deactivateMs ?? Number.POSITIVE_INFINITY)
  let after: { readonly createdAt: number; readonly id: string } | undefined = { createdAt: Math.max(0, now - shortest), id: '~' }
  while (after !== undefined) {
    if (!(await goOn())) return false
    const page: readonly ListedToken[] = await context.store.list({ prefix, now, limit: PAGE, after })
    const news: StoredEvent[] = []
    let goesOn = true
    // The store has reported the tokens that it refuses. They do not block other tokens.
    await tryEach(page, async (token) => {
      goesOn &&= await goOn()
      if (goesOn) news.push(...(await newsOf(context, token, times)))
    })
    if (!goesOn) return false
    await tell(context, news)
    const last = page.at(-1)
    after = page.length === PAGE && last !== undefined ? { createdAt: last.createdAt, id: last.id } : undefined
  }
  return true
}

/** Returns the notice to write, if any. Also carries out the deactivation that an earlier notice announced, if it is due. */
async function newsOf(context: Context, token: ListedToken, { now, since, sure }: UpkeepTimes): Promise<readonly StoredEvent[]> {
  const { deactivateMs } = context.settings.notices
  if (deactivateMs !== undefined && token.deactivatedAt !== undefined) await reviveIfUsed(context, token, token.deactivatedAt, now)
  const idle = idleOf(context, token, now)
  if (idle === undefined) return []
  const notice = noticeOf(context, token, idle, now)
  if (idle.thresholdMs !== deactivateMs || idle.since + deactivateMs + UNUSED_GRACE_MS > now) {
    return idle.since + idle.thresholdMs > since ? [notice] : []
  }
  const toldAt = await whenTold(context, token, notice)
  if (toldAt === undefined) return [notice]
  if (toldAt + UNUSED_GRACE_MS <= sure) await deactivate(context, token, idle, now)
  return []
}

/** Returns `undefined` when the token is in use, was changed, or is not active. */
function idleOf(context: Context, listed: ListedToken, now: number): Idle | undefined {
  const { unusedMs, deactivateMs } = context.settings.notices
  const token = withLastUse(context, listed)
  // A rotated token in its overlap is not expected to be used.
  if (statusOf(token, now) !== 'active' || token.replacedById !== undefined) return undefined
  const since = Math.max(token.createdAt, token.updatedAt, token.notBefore ?? 0, token.lastUsedAt ?? 0)
  for (const thresholdMs of [deactivateMs, unusedMs]) {
    if (thresholdMs !== undefined && since + thresholdMs <= now) return { since, thresholdMs }
  }
  return undefined
}

function noticeOf(context: Context, token: ListedToken, { since, thresholdMs }: Idle, now: number): StoredEvent {
  const details = {
    thresholdSeconds: thresholdMs / 1000,
    unusedSince: new Date(since).toISOString(),
    ...(thresholdMs === context.settings.notices.deactivateMs && { deactivatesAt: new Date(now + UNUSED_GRACE_MS).toISOString() }),
  }
  return noticeEvent(token, { action: 'token.unused', dueAt: since + thresholdMs, of: since, thresholdMs, details }, now)
}

/** Returns when this notice was written, if it announced the deactivation of its token. */
async function whenTold(context: Context, { prefix, id: tokenId }: ListedToken, { id }: StoredEvent): Promise<number | undefined> {
  const told = await firstEvents(context.store, { prefix, tokenId, actions: ['token.unused'], limit: 10 })
  return told.find((event) => event.id === id && event.details?.deactivatesAt !== undefined)?.at
}

/** A use recorded by now prevents the deactivation. A use that another node still has in memory is found by the next pass. */
async function deactivate(context: Context, { id }: ListedToken, seen: Idle, now: number): Promise<void> {
  const { prefix } = context.settings
  const [token] = await context.store.list({ prefix, ids: [id], now, limit: 1 })
  if (token === undefined) return
  const idle = idleOf(context, token, now)
  if (idle?.since !== seen.since || idle.thresholdMs !== seen.thresholdMs) return
  const { lastUsedAt: _, lastUsedIp: __, ...stored } = token
  // No reach is stored, so every actor that may create such a token may activate it again.
  const record = withChanges(stored, now, { deactivatedAt: now, deactivatedBy: SYSTEM.id })
  const details = { thresholdSeconds: idle.thresholdMs / 1000, unusedSince: new Date(idle.since).toISOString() }
  const event = auditEvent('token.deactivated', SYSTEM, now, { before: stored, after: record, reason: 'unused', details })
  await commit(context, { updates: [{ expectedVersion: stored.version, record }], events: [event] })
}

/** Reactivates a token that was used before its deactivation, if that use was still in another node's memory when the token was deactivated. */
async function reviveIfUsed(context: Context, listed: ListedToken, deactivatedAt: number, now: number): Promise<void> {
  const { lastUsedAt = 0, lastUsedIp: _, ...stored } = withLastUse(context, listed)
  const { prefix } = context.settings
  if (stored.deactivatedBy !== SYSTEM.id || stored.revokedAt !== undefined) return
  if (lastUsedAt > deactivatedAt || lastUsedAt <= deactivatedAt - UNUSED_GRACE_MS) return
  const [event] = await firstEvents(context.store, { prefix, tokenId: stored.id, actions: ['token.deactivated'], limit: 1 })
  if (event?.at !== deactivatedAt || event.actorId !== SYSTEM.id || event.details?.unusedSince === undefined) return
  const record = withChanges(stored, now, { deactivatedAt: undefined, deactivatedBy: undefined, deactivatedReach: undefined })
  const details = { lastUsedAt: new Date(lastUsedAt).toISOString() }
  const activated = auditEvent('token.activated', SYSTEM, now, { before: stored, after: record, reason: 'used', details })
  const notices = await noticesOf(context, stored, record, now)
  await commit(context, { updates: [{ expectedVersion: stored.version, record }], events: [activated, ...notices] })
}
