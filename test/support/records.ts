import { randomBytes } from 'node:crypto'
import type { StoredEvent } from '../../src/model/event.js'
import type { StoredToken } from '../../src/model/record.js'
import type { RevocationStamp } from '../../src/store/port.js'

/** A stored token with all required fields. */
export const storedToken = (fields: Partial<StoredToken> = {}): StoredToken => ({
  id: randomBytes(8).toString('hex'),
  version: 1,
  prefix: 'acme',
  digest: randomBytes(32).toString('hex'),
  name: 'Warehouse',
  scopes: ['inventory:read'],
  createdAt: 1_700_000_000_000,
  createdBy: 'alice',
  updatedAt: 1_700_000_000_000,
  ...fields,
})

/** A stored audit event with all required fields. */
export const storedEvent = (fields: Partial<StoredEvent> = {}): StoredEvent => ({
  id: randomBytes(8).toString('hex'),
  at: 1_700_000_000_000,
  action: 'token.created',
  prefix: 'acme',
  actorId: 'alice',
  ...fields,
})

/** The stamp of a bulk revocation with all required fields. */
export const bulkStamp = (fields: Partial<RevocationStamp> = {}): RevocationStamp => ({
  revokedAt: 1_700_000_000_000,
  revokedBy: 'alice',
  revokedCode: 'bulk',
  bulkId: randomBytes(8).toString('hex'),
  ...fields,
})
