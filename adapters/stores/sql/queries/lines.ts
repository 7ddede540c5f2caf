import { feedFilters } from '../../../../src/store/feed-filters.js'
import type { OwnerChange, TokenFilter } from '../../../../src/store/port.js'
import type { ChangeRow } from '../schema/schema.js'

/** A line of the change feed before it gets its position. */
export type Line = Omit<ChangeRow, 'seq'>

/** Returns the line for a changed token. */
export const tokenLine = (id: string): Line => ({ kind: 'token', changed_id: id, detail: null })

/** Returns the line for changed permissions of an owner. */
export const ownerLine = ({ ownerId, tenantId }: OwnerChange): Line => ({ kind: 'owner', changed_id: ownerId, detail: tenantId ?? null })

/** Returns the lines for a change of all tokens of these tenants that match. */
export const bulkLines = (filter: TokenFilter, tenants: Iterable<string | undefined>): readonly Line[] =>
  feedFilters(filter, [...tenants]).map((each) => ({ kind: 'bulk', changed_id: '', detail: JSON.stringify(each) }))
