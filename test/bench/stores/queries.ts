import type { DistinctQuery, ListQuery, TokenStore } from '../../../src/store/port.js'
import { idOf, PREFIX, START } from './fill.js'

/** One page to measure. */
export type PageQuery = { readonly name: string; read(store: TokenStore): unknown }

/** The pages to measure in a store with this many tokens. */
export const pages = (total: number): readonly PageQuery[] => {
  const base = { prefix: PREFIX, now: START + total * 1_000, limit: 50 } as const
  /** The position in the list after this share of its tokens. */
  const behind = (share: number): { readonly after: { readonly createdAt: number; readonly id: string } } => {
    const index = Math.floor(total * (1 - share)) - 1
    return { after: { createdAt: START + index * 1_000, id: idOf(index) } }
  }
  const listed = (name: string, query: ListQuery): PageQuery => ({ name, read: (store) => store.list(query) })
  const distinct = (name: string, query: Omit<DistinctQuery, 'prefix' | 'limit'>): PageQuery => ({
    name,
    read: (store) => store.distinct({ prefix: PREFIX, limit: 500, ...query }),
  })
  return [
    listed('newest', base),
    listed('after half of the list', { ...base, ...behind(0.5) }),
    listed('after 90% of the list', { ...base, ...behind(0.9) }),
    listed('of the large tenant', { ...base, tenantIds: ['large'] }),
    listed('of the large tenant, after 90% of the list', { ...base, tenantIds: ['large'], ...behind(0.9) }),
    listed('of a small tenant', { ...base, tenantIds: ['tenant 14'] }),
    listed('of five tenants', { ...base, tenantIds: ['large', 'tenant 1', 'tenant 2', 'tenant 3', 'tenant 4'] }),
    listed('of two tenants without tokens', { ...base, tenantIds: ['nobody', 'nobody else'] }),
    listed('active', { ...base, statuses: ['active'] }),
    listed('active or pending, after 90% of the list', { ...base, statuses: ['active', 'pending'], ...behind(0.85) }),
    listed('revoked (one in a hundred)', { ...base, statuses: ['revoked'] }),
    listed('inactive (one in ten thousand)', { ...base, statuses: ['inactive'] }),
    listed('pending (none)', { ...base, statuses: ['pending'] }),
    listed('expired (the oldest tenth)', { ...base, statuses: ['expired'] }),
    listed('inactive in the large tenant', { ...base, statuses: ['inactive'], tenantIds: ['large'] }),
    listed('of one owner', { ...base, ownerId: 'owner 77' }),
    listed('name contains a rare word', { ...base, nameContains: 'NEEDLE' }),
    listed('name contains a common word', { ...base, nameContains: 'warehouse' }),
    listed('name contains a common word, after 90% of the list', { ...base, nameContains: 'warehouse', ...behind(0.9) }),
    listed('no name contains the text', { ...base, nameContains: 'no such name' }),
    listed('name in a small tenant', { ...base, nameContains: 'warehouse', tenantIds: ['tenant 14'] }),
    listed('rare name in the large tenant', { ...base, nameContains: 'needle', tenantIds: ['large'] }),
    listed('two letters of a name', { ...base, nameContains: 'ed' }),
    listed('first four characters of an ID', { ...base, idStartsWith: idOf(Math.floor(total / 2)).slice(0, 4) }),
    listed('due for rotation (none)', { ...base, rotationDue: true }),
    distinct('500 tenants', { field: 'tenantId' }),
    distinct('500 tenants after the large tenant', { field: 'tenantId', after: 'large' }),
    distinct('500 owners', { field: 'ownerId' }),
    distinct('500 owners of the large tenant', { field: 'ownerId', tenantId: 'large' }),
  ]
}
