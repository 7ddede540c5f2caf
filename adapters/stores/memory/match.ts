import type { StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'
import type { LastUse } from '../../../src/model/usage.js'
import { foldAscii } from '../../../src/policy/fold-ascii.js'
import { statusOf } from '../../../src/policy/status.js'
import type { EventQuery, ListQuery, TokenFilter } from '../../../src/store/port.js'

/** Does a token match the filter that bulk revocation and lists share? An empty list matches nothing. */
export function matchesFilter(token: StoredToken, filter: TokenFilter): boolean {
  return (
    token.prefix === filter.prefix &&
    (filter.ids === undefined || filter.ids.includes(token.id)) &&
    (filter.tenantIds === undefined || (token.tenantId !== undefined && filter.tenantIds.includes(token.tenantId))) &&
    (filter.ownerId === undefined || token.ownerId === filter.ownerId) &&
    (filter.createdBy === undefined || token.createdBy === filter.createdBy)
  )
}

/** Does a token match everything but the position of a list query? */
export function matchesQuery(token: StoredToken, lastUse: LastUse | undefined, query: ListQuery): boolean {
  return (
    matchesFilter(token, query) &&
    (query.statuses === undefined || query.statuses.includes(statusOf(token, query.now))) &&
    (query.nameContains === undefined || foldAscii(token.name).includes(foldAscii(query.nameContains))) &&
    (query.rotationDue === undefined || isRotationDue(token, query.now)) &&
    (query.expiresBefore === undefined || (token.expiresAt !== undefined && token.expiresAt < query.expiresBefore)) &&
    (query.neverExpires === undefined || token.expiresAt === undefined) &&
    (query.unusedSince === undefined || lastUse === undefined || lastUse.at < query.unusedSince) &&
    (query.neverUsed === undefined || lastUse === undefined)
  )
}

/** Does an event match everything but the position of a query? */
export function matchesEventQuery(event: StoredEvent, query: EventQuery): boolean {
  return (
    event.prefix === query.prefix &&
    (query.tokenId === undefined || event.tokenId === query.tokenId) &&
    (query.tenantIds === undefined || (event.tenantId !== undefined && query.tenantIds.includes(event.tenantId))) &&
    (query.actions === undefined || query.actions.includes(event.action)) &&
    (query.createdBy === undefined || event.createdBy === query.createdBy)
  )
}

function isRotationDue(token: StoredToken, now: number): boolean {
  return (
    token.rotationDueAt !== undefined &&
    token.rotationDueAt <= now &&
    token.revokedAt === undefined &&
    (token.expiresAt === undefined || now < token.expiresAt) &&
    token.replacedById === undefined
  )
}
