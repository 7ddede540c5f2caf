import type { ListedEvent, StoredEvent } from '../../../../src/model/event.js'
import type { JsonObject, Resources } from '../../../../src/model/json.js'
import type { ListedToken, StoredToken } from '../../../../src/model/record.js'
import type { EventRow, TokenRow, Wide } from './schema.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** A 64-bit integer column as a number. What is not an integer becomes `NaN`, which refuses a token. */
export const wide = (value: Wide): number => {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN
}

/** ASCII letters in lower case; every other character as it is. */
export const foldAscii = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

const textOrNull = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))

/** The columns of a token, as they are inserted and updated. */
export const tokenToRow = (token: StoredToken): TokenRow & { name_folded: string } => ({
  id: token.id,
  version: token.version,
  prefix: token.prefix,
  digest: token.digest,
  pepper_id: token.pepperId ?? null,
  name: token.name,
  name_folded: foldAscii(token.name),
  description: token.description ?? null,
  tenant_id: token.tenantId ?? null,
  owner_id: token.ownerId ?? null,
  scopes: JSON.stringify(token.scopes),
  resources: textOrNull(token.resources),
  allowed_ips: textOrNull(token.allowedIps),
  metadata: textOrNull(token.metadata),
  created_at: token.createdAt,
  created_by: token.createdBy,
  updated_at: token.updatedAt,
  not_before: token.notBefore ?? null,
  expires_at: token.expiresAt ?? null,
  deactivated_at: token.deactivatedAt ?? null,
  deactivated_by: token.deactivatedBy ?? null,
  revoked_at: token.revokedAt ?? null,
  revoked_by: token.revokedBy ?? null,
  revoked_reason: token.revokedReason ?? null,
  rotate_every_seconds: token.rotateEverySeconds ?? null,
  rotation_due_at: token.rotationDueAt ?? null,
  replaces_id: token.replacesId ?? null,
  replaced_by_id: token.replacedById ?? null,
  request_hash: token.requestHash ?? null,
})

/** A row as the port answers it: absent columns are absent keys. */
export const rowToToken = (row: TokenRow): StoredToken => {
  const token: Mutable<StoredToken> = {
    id: row.id,
    version: wide(row.version),
    prefix: row.prefix,
    digest: row.digest,
    name: row.name,
    scopes: [],
    createdAt: wide(row.created_at),
    createdBy: row.created_by,
    updatedAt: wide(row.updated_at),
  }
  if (row.pepper_id !== null) token.pepperId = row.pepper_id
  if (row.description !== null) token.description = row.description
  if (row.tenant_id !== null) token.tenantId = row.tenant_id
  if (row.owner_id !== null) token.ownerId = row.owner_id
  if (row.not_before !== null) token.notBefore = wide(row.not_before)
  if (row.expires_at !== null) token.expiresAt = wide(row.expires_at)
  if (row.deactivated_at !== null) token.deactivatedAt = wide(row.deactivated_at)
  if (row.deactivated_by !== null) token.deactivatedBy = row.deactivated_by
  if (row.revoked_at !== null) token.revokedAt = wide(row.revoked_at)
  if (row.revoked_by !== null) token.revokedBy = row.revoked_by
  if (row.revoked_reason !== null) token.revokedReason = row.revoked_reason
  if (row.rotate_every_seconds !== null) token.rotateEverySeconds = wide(row.rotate_every_seconds)
  if (row.rotation_due_at !== null) token.rotationDueAt = wide(row.rotation_due_at)
  if (row.replaces_id !== null) token.replacesId = row.replaces_id
  if (row.replaced_by_id !== null) token.replacedById = row.replaced_by_id
  if (row.request_hash !== null) token.requestHash = row.request_hash
  try {
    token.scopes = JSON.parse(row.scopes) as readonly string[]
    if (row.resources !== null) token.resources = JSON.parse(row.resources) as Resources
    if (row.allowed_ips !== null) token.allowedIps = JSON.parse(row.allowed_ips) as readonly string[]
    if (row.metadata !== null) token.metadata = JSON.parse(row.metadata) as JsonObject
  } catch {
    // Damaged text must neither open this token nor fail the others that were read with it.
    token.scopes = []
    token.resources = {}
    token.allowedIps = []
    token.expiresAt = Number.NaN
  }
  return token
}

/** A row of `list`: the token with its last use beside it. */
export const rowToListed = (row: TokenRow & { last_used_at: Wide | null; last_used_ip: string | null }): ListedToken => {
  const token: Mutable<ListedToken> = rowToToken(row)
  if (row.last_used_at !== null) token.lastUsedAt = wide(row.last_used_at)
  if (row.last_used_ip !== null) token.lastUsedIp = row.last_used_ip
  return token
}

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
