import { ownFields } from '../model/own-fields.js'
import type { TokenFilter } from './port.js'

/** The fields that a filter compares, in records and in objects derived from them. */
export type Filtered = {
  readonly id: string
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  readonly createdBy: string
  readonly rootId?: string | undefined
}

/** Compiles a filter into a predicate for tokens of its prefix. An empty list matches nothing. */
export function compileFilter(filter: Omit<TokenFilter, 'prefix'>): (token: Filtered) => boolean {
  const { ids, tenantIds, ownerId, createdBy, rootId } = ownFields(filter)
  const someIds = ids === undefined ? undefined : new Set(ids)
  const someTenants = tenantIds === undefined ? undefined : new Set(tenantIds)
  return (token) =>
    (ownerId === undefined || token.ownerId === ownerId) &&
    (createdBy === undefined || token.createdBy === createdBy) &&
    (rootId === undefined || token.rootId === rootId) &&
    (someTenants === undefined || (token.tenantId !== undefined && someTenants.has(token.tenantId))) &&
    (someIds === undefined || someIds.has(token.id))
}
