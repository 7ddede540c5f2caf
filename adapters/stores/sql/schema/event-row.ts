import type { ErasedFields, ListedEvent, StoredEvent } from '../../../../src/model/event.js'
import type { JsonObject } from '../../../../src/model/json.js'
import type { EventRow } from './schema.js'
import type { Wide } from './token-columns.js'
import { isAbsent, wide } from './wide.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

const textOrNull = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))

/** Returns the columns of an event without its position in the feed. */
export const eventToUnplacedRow = (event: StoredEvent): Omit<EventRow, 'seq'> => ({
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
  bulk_id: event.bulkId ?? null,
  salt: event.salt ?? null,
  erased: textOrNull(event.erased),
})

/** Returns the columns of an event. */
export const eventToRow = (event: StoredEvent, seq: number): EventRow => ({ seq, ...eventToUnplacedRow(event) })

const JSON_COLUMNS = [
  ['before', 'before_fields'],
  ['after', 'after_fields'],
  ['erased', 'erased'],
  ['details', 'details'],
] as const

const TEXT_COLUMNS = [
  ['id', 'id'],
  ['action', 'action'],
  ['prefix', 'prefix'],
  ['actorId', 'actor_id'],
  ['tokenId', 'token_id'],
  ['tenantId', 'tenant_id'],
  ['ownerId', 'owner_id'],
  ['createdBy', 'created_by'],
  ['ip', 'ip'],
  ['reason', 'reason'],
  ['code', 'code'],
  ['bulkId', 'bulk_id'],
  ['salt', 'salt'],
] as const satisfies readonly (readonly [keyof StoredEvent, keyof EventRow])[]

/** SQL for a number with one bit per text column whose value the driver would cut off. */
export const cutColumns = (isCut: (column: string) => string): string =>
  [...TEXT_COLUMNS, ...JSON_COLUMNS].map(([, column], at) => `(${isCut(column)}) * ${2 ** at}`).join(' + ')

/** An event row, with `cutColumns` in dialects that need it. */
export type ReadEventRow = EventRow & { readonly cut_columns?: Wide }

/** Converts a row to the event that the port returns. */
export const rowToEvent = (row: ReadEventRow): ListedEvent => {
  const cut = wide(row.cut_columns ?? 0)
  const damaged: string[] = cut === 0 ? [] : [...TEXT_COLUMNS, ...JSON_COLUMNS].flatMap(([field], at) => (cut & (2 ** at) ? [field] : []))
  const event = readRow(row, damaged)
  return { seq: wide(row.seq), ...event, ...(damaged.length > 0 && { damaged }) }
}

/** Like `rowToEvent`, for an event without a position. */
export const unplacedRowToEvent = (row: Omit<EventRow, 'seq'>): StoredEvent => readRow(row, [])

// One damaged row must not hide the others.
const readRow = (row: Omit<EventRow, 'seq'>, damaged: string[]): StoredEvent => {
  const event: Mutable<StoredEvent> = {
    id: row.id,
    at: wide(row.at),
    action: row.action as StoredEvent['action'],
    prefix: row.prefix,
    actorId: row.actor_id,
  }
  if (!isAbsent(row.token_id)) event.tokenId = row.token_id
  if (!isAbsent(row.tenant_id)) event.tenantId = row.tenant_id
  if (!isAbsent(row.owner_id)) event.ownerId = row.owner_id
  if (!isAbsent(row.created_by)) event.createdBy = row.created_by
  if (!isAbsent(row.ip)) event.ip = row.ip
  if (!isAbsent(row.reason)) event.reason = row.reason
  if (!isAbsent(row.code)) event.code = row.code
  if (!isAbsent(row.event_count)) event.count = wide(row.event_count)
  if (!isAbsent(row.bulk_id)) event.bulkId = row.bulk_id
  if (!isAbsent(row.salt)) event.salt = row.salt
  for (const [field, column] of JSON_COLUMNS) {
    const text = row[column]
    if (isAbsent(text)) continue
    const value = parseObject(text)
    if (value === undefined) {
      if (!damaged.includes(field)) damaged.push(field)
    } else event[field] = value as JsonObject & ErasedFields
  }
  return event
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
