import type { AuditAction, StoredEvent } from '../../model/event.js'
import type { JsonObject } from '../../model/json.js'
import type { StoredToken } from '../../model/record.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { ReadActor } from './actor.js'

/** The fields of a record that an event may show as they were and as they are. Never the digest. */
const SHOWN = [
  'name',
  'description',
  'scopes',
  'resources',
  'allowedIps',
  'metadata',
  'notBefore',
  'expiresAt',
  'deactivatedAt',
  'deactivatedBy',
  'revokedAt',
  'revokedBy',
  'revokedCode',
  'revokedReason',
  'rotateEverySeconds',
  'rotationDueAt',
  'replacesId',
  'replacedById',
] as const

const INSTANTS: ReadonlySet<string> = new Set(['notBefore', 'expiresAt', 'deactivatedAt', 'revokedAt', 'rotationDueAt'])

/** The event of one token's change: who, what, when, from where, and the changed fields before and after. */
export function auditEvent(
  action: AuditAction,
  actor: ReadActor,
  at: number,
  change: {
    readonly before?: StoredToken
    readonly after: StoredToken
    readonly reason?: string | undefined
    readonly details?: JsonObject
  },
): StoredEvent {
  const { before, after, reason, details } = change
  const { tenantId, ownerId, createdBy, id, prefix } = after
  return {
    id: generateId(platformRandom),
    at,
    action,
    prefix,
    actorId: actor.id,
    tokenId: id,
    createdBy,
    ...(tenantId !== undefined && { tenantId }),
    ...(ownerId !== undefined && { ownerId }),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    ...(reason !== undefined && { reason }),
    ...(before !== undefined && { before: shown(before, changedFields(before, after)) }),
    after: shown(after, before === undefined ? SHOWN : changedFields(before, after)),
    ...(details !== undefined && { details }),
  }
}

/** Which of the shown fields differ. */
export function changedFields(before: StoredToken, after: StoredToken): readonly (typeof SHOWN)[number][] {
  return SHOWN.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
}

function shown(record: StoredToken, fields: readonly (typeof SHOWN)[number][]): JsonObject {
  const entries = fields.flatMap((field) => {
    const value = record[field]
    if (value === undefined) return []
    return [[field, INSTANTS.has(field) && typeof value === 'number' ? iso(value) : value] as const]
  })
  return Object.fromEntries(entries)
}

function iso(at: number): string | null {
  return Number.isFinite(at) ? new Date(at).toISOString() : null
}
