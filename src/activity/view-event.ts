import type { Code } from '../errors.js'
import type { AuditEvent, ListedEvent, StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'

/** Returns the public form of an audit event. */
export function viewEvent(given: StoredEvent & Pick<ListedEvent, 'damaged'>): AuditEvent {
  const event = ownFields(given)
  return {
    id: event.id,
    at: new Date(event.at),
    action: event.action,
    actorId: event.actorId,
    ...(event.tokenId !== undefined && { tokenId: event.tokenId }),
    ...(event.tenantId !== undefined && { tenantId: event.tenantId }),
    ...(event.ownerId !== undefined && { ownerId: event.ownerId }),
    ...(event.ip !== undefined && { ip: event.ip }),
    ...(event.reason !== undefined && { reason: event.reason }),
    ...(event.code !== undefined && { code: event.code as Code }),
    ...(event.count !== undefined && { count: event.count }),
    ...(event.bulkId !== undefined && { bulkId: event.bulkId }),
    ...(event.before !== undefined && { before: structuredClone(event.before) }),
    ...(event.after !== undefined && { after: structuredClone(event.after) }),
    ...(event.details !== undefined && { details: structuredClone(event.details) }),
    ...(event.damaged !== undefined && { damaged: [...event.damaged] }),
  }
}
