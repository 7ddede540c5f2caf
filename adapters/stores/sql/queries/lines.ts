import type { OwnerChange, TokenFilter } from '../../../../src/store/port.js'
import type { ChangeRow } from '../schema/schema.js'

/** A line of the change feed, before it has its place. */
export type Line = Omit<ChangeRow, 'seq'>

/** Longer filters name thousands of tokens or tenants: the feed then says less, and so more than was touched. */
const LONGEST_FILTER = 16_000

/** Says that a token changed. */
export const tokenLine = (id: string): Line => ({ kind: 'token', changed_id: id, detail: null })

/** Says that an owner's permissions changed. */
export const ownerLine = ({ ownerId, tenantId }: OwnerChange): Line => ({ kind: 'owner', changed_id: ownerId, detail: tenantId ?? null })

/** Says that tokens that match changed. */
export const bulkLine = (filter: TokenFilter): Line => ({ kind: 'bulk', changed_id: '', detail: filterText(filter) })

const filterText = (filter: TokenFilter): string => {
  const text = JSON.stringify(filter)
  if (text.length <= LONGEST_FILTER) return text
  const { ids: _, tenantIds: __, ...rest } = filter
  return JSON.stringify(rest)
}
