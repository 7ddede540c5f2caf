import { aboutToken } from '../../activity/about-token.js'
import type { AuditAction, StoredEvent } from '../../model/event.js'
import { FIELDS, type FieldName, fieldsWhere } from '../../model/fields.js'
import type { Json, JsonObject } from '../../model/json.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { ReadActor } from './actor.js'

/** The fields of a record that an event may show before and after a change. */
export const SHOWN: readonly (keyof StoredToken)[] = fieldsWhere((field) => field.audited === true) as readonly (keyof StoredToken)[]

/** Creates the event for a change to one token: who, what, when, from where, and the changed fields before and after. */
export function auditEvent(
  action: AuditAction,
  actor: ReadActor,
  at: number,
  change: {
    readonly before?: StoredToken
    readonly after: StoredToken
    readonly reason?: string | undefined
    readonly details?: JsonObject
    /** A fixed ID, for an event that may be written only once, even if data is removed later. */
    readonly id?: string | undefined
  },
): StoredEvent {
  const { reason, details, id } = ownFields(change)
  const after = ownFields(change.after)
  const before = change.before && ownFields(change.before)
  return {
    id: id ?? generateId(platformRandom),
    at,
    action,
    prefix: after.prefix,
    actorId: actor.id,
    ...aboutToken(after),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    ...(reason !== undefined && { reason }),
    ...(before !== undefined && { before: shown(before, changedFields(before, after)) }),
    after: shown(after, before === undefined ? SHOWN : changedFields(before, after)),
    ...(details !== undefined && { details }),
  }
}

/** Returns the shown fields that differ. */
export function changedFields(before: StoredToken, after: StoredToken): readonly (keyof StoredToken)[] {
  return SHOWN.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
}

function shown(record: StoredToken, fields: readonly (keyof StoredToken)[]): JsonObject {
  return Object.fromEntries(
    fields.flatMap((field) => {
      const value = record[field]
      return value === undefined ? [] : [[field, asJson(field, value)] as const]
    }),
  )
}

/** Returns a field's value as events show it. */
export function asJson(field: FieldName, value: Json): Json {
  if (FIELDS[field].kind !== 'instant' || typeof value !== 'number') return value
  return Number.isFinite(value) ? new Date(value).toISOString() : null
}
