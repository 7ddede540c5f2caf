import type { AuditAction, StoredEvent } from '../model/event.js'
import type { JsonObject } from '../model/json.js'
import { ownFields } from '../model/own-fields.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import { isInstant } from '../policy/instant.js'
import type { Notices } from '../policy/notices.js'
import { statusOf } from '../policy/status.js'
import { deriveId } from '../token/derive-id.js'
import { aboutToken } from './about-token.js'

/** An old token counts as still in use if it was used within this time, or within the threshold if that is longer. */
export const STILL_MS: number = 86_400_000

/** A notice about one token, and when it became due. */
export type Notice = {
  readonly action: AuditAction
  readonly dueAt: number
  /** The instant that the notice is about. */
  readonly of: number
  readonly thresholdMs?: number
  readonly details: JsonObject
}

/**
 * Returns the notices that apply to a token at `now`.
 *
 * Of several thresholds, only the nearest counts. A threshold that had passed before the token was created or rotated causes no notice: a token that lives for
 * five days is never announced 30 days before it expires. A revoked or inactive token causes none either. A replaced token expires as planned, so it matters
 * only if it is still used.
 */
export function dueNotices(token: ListedToken, now: number, notices: Notices): readonly Notice[] {
  const status = statusOf(token, now)
  if (status === 'revoked' || status === 'inactive') return []
  if (token.replacedById !== undefined) return status === 'expired' ? [] : oldStillUsed(token, now, notices)
  if (status === 'expired') return expired(token, now, notices)
  return [...expiring(token, now, notices), ...rotationDue(token, now, notices)]
}

/**
 * A scan may be running while a token is changed on a node whose clock is slightly ahead. That scan may treat a notice that is due this soon as already
 * reported.
 */
const SOON_MS = 60_000

/**
 * Returns the notices that a change to a token makes due immediately, because it moved an instant past their threshold or reactivated the token. No scan would
 * find them, because they became due before the last scan.
 */
export function crossedNotices(before: StoredToken, after: ListedToken, now: number, notices: Notices): readonly StoredEvent[] {
  if (!isInstant(now)) return []
  const soon = now + SOON_MS
  // The creator of a token knows how soon it expires, but its holder does not know that the expiry was moved.
  const changed = before.expiresAt === after.expiresAt ? after : ownFields({ ...after, createdAt: 0, updatedAt: 0 })
  const due = (token: ListedToken): readonly StoredEvent[] =>
    dueNotices(token, soon, notices)
      .filter(({ thresholdMs, dueAt }) => thresholdMs !== undefined || dueAt <= now)
      .map((notice) => noticeEvent(after, notice, now))
  const dueBefore = new Set(due(before).map(({ id }) => id))
  return due(changed).filter(({ id }) => !dueBefore.has(id))
}

function expired({ expiresAt }: ListedToken, now: number, notices: Notices): readonly Notice[] {
  if (!notices.expired || !isInstant(expiresAt) || expiresAt > now) return []
  return [{ action: 'token.expired', dueAt: expiresAt, of: expiresAt, details: { expiresAt: iso(expiresAt) } }]
}

function expiring({ expiresAt, createdAt }: ListedToken, now: number, { expiringMs }: Notices): readonly Notice[] {
  const nearest = nearestOf(expiresAt, now, expiringMs)
  if (nearest === undefined || nearest.dueAt <= createdAt) return []
  return [{ action: 'token.expiring', ...nearest, details: { ...seconds(nearest.thresholdMs), expiresAt: iso(nearest.of) } }]
}

function rotationDue({ rotationDueAt }: ListedToken, now: number, notices: Notices): readonly Notice[] {
  if (!notices.rotationDue || !isInstant(rotationDueAt) || rotationDueAt > now) return []
  return [{ action: 'token.rotation_due', dueAt: rotationDueAt, of: rotationDueAt, details: { rotationDueAt: iso(rotationDueAt) } }]
}

function oldStillUsed(token: ListedToken, now: number, { oldStillUsedMs }: Notices): readonly Notice[] {
  const { expiresAt, updatedAt, lastUsedAt, replacedById } = token
  const nearest = nearestOf(expiresAt, now, oldStillUsedMs)
  if (nearest === undefined || nearest.dueAt <= updatedAt) return []
  if (lastUsedAt === undefined || replacedById === undefined || lastUsedAt < now - Math.max(STILL_MS, nearest.thresholdMs)) return []
  const details = {
    ...seconds(nearest.thresholdMs),
    expiresAt: iso(nearest.of),
    lastUsedAt: iso(lastUsedAt),
    successorId: replacedById,
  }
  return [{ action: 'token.old_still_used', ...nearest, details }]
}

function nearestOf(
  expiresAt: number | undefined,
  now: number,
  ascending: readonly number[],
): { dueAt: number; of: number; thresholdMs: number } | undefined {
  if (!isInstant(expiresAt)) return undefined
  const thresholdMs = ascending.find((each) => expiresAt - each <= now)
  return thresholdMs === undefined ? undefined : { dueAt: expiresAt - thresholdMs, of: expiresAt, thresholdMs }
}

/** Returns the event of a notice. Its ID is derived from its content, so that it is written only once, regardless of the number of nodes and attempts. */
export function noticeEvent(token: ListedToken, notice: Notice, now: number): StoredEvent {
  const { action, of, thresholdMs, details } = notice
  return {
    id: deriveId([action, token.prefix, token.id, String(thresholdMs), String(of)]),
    at: now,
    action,
    prefix: token.prefix,
    actorId: 'system',
    ...aboutToken(token),
    details,
  }
}

function seconds(thresholdMs: number): { thresholdSeconds: number } {
  return { thresholdSeconds: thresholdMs / 1000 }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
