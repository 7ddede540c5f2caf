import type { StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'
import type { LastUse } from '../../../src/model/usage.js'
import { foldAscii } from '../../../src/policy/fold-ascii.js'
import { statusOf } from '../../../src/policy/status.js'
import { compileFilter } from '../../../src/store/compile-filter.js'
import type { BulkPart, EventQuery, ListQuery, TokenCap } from '../../../src/store/port.js'

/** Creates a predicate for everything in a list query except the prefix and the position. */
export function matcherOf(query: ListQuery): (token: StoredToken, lastUse: LastUse | undefined) => boolean {
  const matches = compileFilter(query)
  const part = query.nameContains === undefined ? undefined : foldAscii(query.nameContains)
  return (token, lastUse) =>
    matches(token) &&
    (query.statuses === undefined || query.statuses.includes(statusOf(token, query.now))) &&
    (part === undefined || foldAscii(token.name).includes(part)) &&
    (query.idStartsWith === undefined || token.id.startsWith(query.idStartsWith)) &&
    (query.rotationDue === undefined || isRotationDue(token, query.rotationDueFrom ?? 0, query.now)) &&
    (query.expiresFrom === undefined || (token.expiresAt !== undefined && token.expiresAt >= query.expiresFrom)) &&
    (query.expiresBefore === undefined || (token.expiresAt !== undefined && token.expiresAt < query.expiresBefore)) &&
    (query.neverExpires === undefined || token.expiresAt === undefined) &&
    (query.unusedSince === undefined || lastUse === undefined || lastUse.at < query.unusedSince) &&
    (query.neverUsed === undefined || lastUse === undefined) &&
    (query.imported === undefined || token.importedFrom !== undefined) &&
    (query.notReplaced === undefined || token.replacedById === undefined)
}

/** Returns whether this token counts against a cap. */
export function countsFor(token: StoredToken, { prefix, tenantId, ownerId, now }: TokenCap): boolean {
  return (
    token.prefix === prefix &&
    token.tenantId === tenantId &&
    (ownerId === undefined || token.ownerId === ownerId) &&
    token.revokedAt === undefined &&
    (token.expiresAt === undefined || now < token.expiresAt)
  )
}

/** Returns whether an event matches everything in a query except the position. */
export function matchesEventQuery(event: StoredEvent, query: EventQuery): boolean {
  return (
    event.prefix === query.prefix &&
    (query.id === undefined || event.id === query.id) &&
    (query.tenantIds === undefined || (event.tenantId !== undefined && query.tenantIds.includes(event.tenantId))) &&
    (query.actions === undefined || query.actions.includes(event.action)) &&
    (query.actorId === undefined || event.actorId === query.actorId) &&
    (query.from === undefined || event.at >= query.from) &&
    (query.to === undefined || event.at < query.to) &&
    (isAbout(event, query) || isPartOf(event, query.bulk))
  )
}

function isAbout(event: StoredEvent, { tokenId, createdBy }: EventQuery): boolean {
  return (tokenId === undefined || event.tokenId === tokenId) && (createdBy === undefined || event.createdBy === createdBy)
}

function isPartOf(event: StoredEvent, bulk: BulkPart | undefined): boolean {
  return bulk !== undefined && event.bulkId === bulk.bulkId && event.tenantId === bulk.tenantId
}

function isRotationDue(token: StoredToken, from: number, now: number): boolean {
  return (
    token.rotationDueAt !== undefined &&
    token.rotationDueAt >= from &&
    token.rotationDueAt <= now &&
    token.revokedAt === undefined &&
    (token.expiresAt === undefined || now < token.expiresAt) &&
    token.replacedById === undefined
  )
}
