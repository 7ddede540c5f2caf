import type { StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'

let made = 0

/** A unique token. */
export const token = (more: Partial<StoredToken> = {}): StoredToken => {
  made += 1
  return {
    id: `T${String(made).padStart(15, '0')}`,
    version: 1,
    prefix: 'acme',
    digest: made.toString(16).padStart(64, '0'),
    name: `Token ${made}`,
    scopes: ['inventory:read'],
    createdAt: 1_700_000_000_000 + made,
    createdBy: 'system',
    updatedAt: 1_700_000_000_000 + made,
    ...more,
  }
}

/** A unique event. */
export const event = (more: Partial<StoredEvent> = {}): StoredEvent => {
  made += 1
  return {
    id: `E${String(made).padStart(15, '0')}`,
    at: 1_700_000_000_000,
    action: 'token.created',
    prefix: 'acme',
    actorId: 'system',
    ...more,
  }
}
