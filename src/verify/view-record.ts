import type { ListedToken, TokenRecord } from '../model/record.js'
import { statusOf } from '../policy/status.js'
import { hintOf } from '../token/hint.js'

const at = (instant: number): Date => new Date(instant)

/** The public face of a stored token: no digest, instants as `Date`, status as of `now`. */
export function viewRecord(stored: ListedToken, now: number): TokenRecord {
  return {
    id: stored.id,
    version: stored.version,
    prefix: stored.prefix,
    hint: hintOf(stored.prefix, stored.id),
    name: stored.name,
    ...(stored.description !== undefined && { description: stored.description }),
    ...(stored.tenantId !== undefined && { tenantId: stored.tenantId }),
    ...(stored.ownerId !== undefined && { ownerId: stored.ownerId }),
    scopes: [...stored.scopes],
    ...(stored.resources !== undefined && { resources: structuredClone(stored.resources) }),
    ...(stored.allowedIps !== undefined && { allowedIps: [...stored.allowedIps] }),
    ...(stored.metadata !== undefined && { metadata: structuredClone(stored.metadata) }),
    status: statusOf(stored, now),
    createdAt: at(stored.createdAt),
    createdBy: stored.createdBy,
    updatedAt: at(stored.updatedAt),
    ...(stored.notBefore !== undefined && { notBefore: at(stored.notBefore) }),
    ...(stored.expiresAt !== undefined && { expiresAt: at(stored.expiresAt) }),
    ...(stored.deactivatedAt !== undefined && { deactivatedAt: at(stored.deactivatedAt) }),
    ...(stored.deactivatedBy !== undefined && { deactivatedBy: stored.deactivatedBy }),
    ...(stored.revokedAt !== undefined && { revokedAt: at(stored.revokedAt) }),
    ...(stored.revokedBy !== undefined && { revokedBy: stored.revokedBy }),
    ...(stored.revokedCode !== undefined && { revokedCode: stored.revokedCode }),
    ...(stored.revokedReason !== undefined && { revokedReason: stored.revokedReason }),
    ...(stored.rotateEverySeconds !== undefined && { rotateEverySeconds: stored.rotateEverySeconds }),
    ...(stored.rotationDueAt !== undefined && { rotationDueAt: at(stored.rotationDueAt) }),
    ...(stored.replacesId !== undefined && { replacesId: stored.replacesId }),
    ...(stored.replacedById !== undefined && { replacedById: stored.replacedById }),
    ...(stored.lastUsedAt !== undefined && { lastUsedAt: at(stored.lastUsedAt) }),
    ...(stored.lastUsedIp !== undefined && { lastUsedIp: stored.lastUsedIp }),
    ...(stored.pepperId !== undefined && { pepperId: stored.pepperId }),
  }
}
