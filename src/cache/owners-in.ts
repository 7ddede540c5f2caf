import { ownFields } from '../model/own-fields.js'
import type { OwnerChange, TokenFilter } from '../store/port.js'

/** Returns the owners whose permissions may have changed with the tokens that a filter matches. */
export function ownersIn(filter: TokenFilter): readonly OwnerChange[] {
  const { ownerId, tenantIds } = ownFields(filter)
  if (ownerId === undefined) return []
  return tenantIds === undefined ? [{ ownerId }] : tenantIds.map((tenantId) => ({ ownerId, tenantId }))
}
