import type { StoredEvent } from '../model/event.js'
import type { Filtered } from '../store/compile-filter.js'

/** Returns the fields of an event that identify its token, and therefore decide who can see it. */
export function aboutToken({
  id,
  tenantId,
  ownerId,
  createdBy,
}: Filtered): Pick<StoredEvent, 'tokenId' | 'createdBy' | 'tenantId' | 'ownerId'> {
  return {
    tokenId: id,
    createdBy,
    ...(tenantId !== undefined && { tenantId }),
    ...(ownerId !== undefined && { ownerId }),
  }
}
