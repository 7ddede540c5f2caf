import { ownFields } from '../../model/own-fields.js'
import type { ListedToken } from '../../model/record.js'
import type { Context } from '../../verify/context.js'

/** Merges a use that this process has counted but not yet written into the stored record. */
export function withLastUse(context: Context, stored: ListedToken): ListedToken {
  const found = context.usage?.lastUse(stored.id)
  const use = found && ownFields(found)
  if (use === undefined || (stored.lastUsedAt !== undefined && stored.lastUsedAt >= use.at)) return stored
  const { lastUsedIp, ...rest } = stored
  return ownFields({ ...rest, lastUsedAt: use.at, ...(use.ip !== undefined && { lastUsedIp: use.ip }) })
}
