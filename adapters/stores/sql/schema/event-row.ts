import type { ListedEvent, StoredEvent } from '../../../../src/model/event.js'
import type { JsonObject } from '../../../../src/model/json.js'
import type { EventRow } from './schema.js'
import { wide } from './wide.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

const textOrNull = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))

/** The columns of an event. */
export const eventToRow = (event: StoredEvent, seq: number): EventRow => ({
  seq,
  id: event.id,
  at: event.at,
  action: event.action,
  prefix: event.prefix,
  actor_id: event.actorId,
  token_id: event.tokenId ?? null,
  tenant_id: event.tenantId ?? null,
  owner_id: event.ownerId ?? null,
  created_by: event.createdBy ?? null,
  ip: event.ip ?? null,
  reason: event.reason ?? null,
  code: event.code ?? null,
  event_count: event.count ?? null,
  before_fields: textOrNull(event.before),
  after_fields: textOrNull(event.after),
  details: textOrNull(event.details),
})

/** An event as the port answers it. */
export const rowToEvent = (row: EventRow): ListedEvent => {
  const event: Mutable<ListedEvent> = {
    seq: wide(row.seq),
    id: row.id,
    at: wide(row.at),
    action: row.action as ListedEvent['action'],
    prefix: row.prefix,
    actorId: row.actor_id,
  }
  if (row.token_id !== null) event.tokenId = row.token_id
  if (row.tenant_id !== null) event.tenantId = row.tenant_id
  if (row.owner_id !== null) event.ownerId = row.owner_id
  if (row.created_by !== null) event.createdBy = row.created_by
  if (row.ip !== null) event.ip = row.ip
  if (row.reason !== null) event.reason = row.reason
  if (row.code !== null) event.code = row.code
  if (row.event_count !== null) event.count = wide(row.event_count)
  if (row.before_fields !== null) event.before = JSON.parse(row.before_fields) as JsonObject
  if (row.after_fields !== null) event.after = JSON.parse(row.after_fields) as JsonObject
  if (row.details !== null) event.details = JSON.parse(row.details) as JsonObject
  return event
}
