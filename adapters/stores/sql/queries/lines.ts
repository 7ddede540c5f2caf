import type { OwnerChange, TokenFilter } from '../../../../src/store/port.js'
import type { ChangeRow } from '../schema/schema.js'

/** A line of the change feed before it gets its position. */
export type Line = Omit<ChangeRow, 'seq'>

/** Longer filters name thousands of tokens or tenants. The feed then gets a wider filter, which also matches unchanged tokens. */
const LONGEST_FILTER = 16_000

/** Returns the line for a changed token. */
export const tokenLine = (id: string): Line => ({ kind: 'token', changed_id: id, detail: null })

/** Returns the line for changed permissions of an owner. */
export const ownerLine = ({ ownerId, tenantId }: OwnerChange): Line => ({ kind: 'owner', changed_id: ownerId, detail: tenantId ?? null })

/** Returns the line for a change of all tokens that match. */
export const bulkLine = (filter: TokenFilter): Line => ({ kind: 'bulk', changed_id: '', detail: filterText(filter) })

const filterText = (filter: TokenFilter): string => {
  const text = JSON.stringify(filter)
  if (text.length <= LONGEST_FILTER) return text
  const { ids: _, tenantIds: __, ...rest } = filter
  return JSON.stringify(rest)
}
