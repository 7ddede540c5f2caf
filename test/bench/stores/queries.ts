import type { ListQuery } from '../../../src/store/port.js'
import { idOf, PREFIX, START } from './fill.js'

/** One page to measure. */
export type PageQuery = { readonly name: string; readonly query: ListQuery }

/** Pages of 50 of a store with so many tokens. */
export const pages = (total: number): readonly PageQuery[] => {
  const base = { prefix: PREFIX, now: START + total * 1_000, limit: 50 } as const
  /** The position of the token that so large a share of the list stands before. */
  const behind = (share: number): { readonly after: { readonly createdAt: number; readonly id: string } } => {
    const index = Math.floor(total * (1 - share)) - 1
    return { after: { createdAt: START + index * 1_000, id: idOf(index) } }
  }
  return [
    { name: 'newest', query: base },
    { name: 'from the middle', query: { ...base, ...behind(0.5) } },
    { name: 'from nine tenths', query: { ...base, ...behind(0.9) } },
    { name: 'of the large tenant', query: { ...base, tenantIds: ['large'] } },
    { name: 'of the large tenant, from nine tenths', query: { ...base, tenantIds: ['large'], ...behind(0.9) } },
    { name: 'of a small tenant', query: { ...base, tenantIds: ['tenant 14'] } },
    { name: 'of five tenants', query: { ...base, tenantIds: ['large', 'tenant 1', 'tenant 2', 'tenant 3', 'tenant 4'] } },
    { name: 'of two tenants without tokens', query: { ...base, tenantIds: ['nobody', 'nobody else'] } },
    { name: 'active', query: { ...base, statuses: ['active'] } },
    { name: 'active or pending, from nine tenths', query: { ...base, statuses: ['active', 'pending'], ...behind(0.85) } },
    { name: 'revoked (one in a hundred)', query: { ...base, statuses: ['revoked'] } },
    { name: 'inactive (one in ten thousand)', query: { ...base, statuses: ['inactive'] } },
    { name: 'pending (none)', query: { ...base, statuses: ['pending'] } },
    { name: 'expired (the oldest tenth)', query: { ...base, statuses: ['expired'] } },
    { name: 'inactive in the large tenant', query: { ...base, statuses: ['inactive'], tenantIds: ['large'] } },
    { name: 'of one owner', query: { ...base, ownerId: 'owner 77' } },
    { name: 'name contains a rare word', query: { ...base, nameContains: 'NEEDLE' } },
    { name: 'name contains a common word', query: { ...base, nameContains: 'warehouse' } },
    { name: 'name contains a common word, from nine tenths', query: { ...base, nameContains: 'warehouse', ...behind(0.9) } },
    { name: 'name contains nothing like it', query: { ...base, nameContains: 'no such name' } },
    { name: 'name in a small tenant', query: { ...base, nameContains: 'warehouse', tenantIds: ['tenant 14'] } },
    { name: 'rare name in the large tenant', query: { ...base, nameContains: 'needle', tenantIds: ['large'] } },
    { name: 'two letters of a name', query: { ...base, nameContains: 'ed' } },
    { name: 'due for rotation (none)', query: { ...base, rotationDue: true } },
  ]
}
