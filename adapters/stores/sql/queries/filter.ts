import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { TokenStatus } from '../../../../src/model/record.js'
import type { TokenFilter } from '../../../../src/store/port.js'
import type { Tables } from '../schema/schema.js'

type Tokens = ExpressionBuilder<Tables, 'tokens'>

/** The text columns that an index begins with. */
type IndexedColumn = 'id' | 'prefix' | 'tenant_id' | 'owner_id' | 'created_by' | 'root_id' | 'state'

/** How a condition refers to such a column: in a way that allows or prevents the use of its index. */
export type ColumnOf = (eb: Tokens, name: IndexedColumn) => Expression<string | null>

const plain: ColumnOf = (eb, name) => eb.ref(`tokens.${name}`)

/** Creates the conditions of a filter; `prefix` is always one of them. */
export const filterConditions = (eb: Tokens, filter: TokenFilter, column: ColumnOf = plain): Expression<SqlBool>[] => {
  const conditions: Expression<SqlBool>[] = [eb(column(eb, 'prefix'), '=', filter.prefix)]
  if (filter.ids !== undefined) conditions.push(anyOf(eb, plain(eb, 'id'), filter.ids))
  if (filter.tenantIds !== undefined) conditions.push(anyOf(eb, column(eb, 'tenant_id'), filter.tenantIds))
  if (filter.ownerId !== undefined) conditions.push(eb(column(eb, 'owner_id'), '=', filter.ownerId))
  if (filter.createdBy !== undefined) conditions.push(eb(column(eb, 'created_by'), '=', filter.createdBy))
  if (filter.rootId !== undefined) conditions.push(eb(column(eb, 'root_id'), '=', filter.rootId))
  return conditions
}

const anyOf = (eb: Tokens, column: Expression<string | null>, values: readonly string[]): Expression<SqlBool> => {
  const [first] = values
  if (first === undefined) return eb(eb.val(1), '=', 0)
  return values.length === 1 ? eb(column, '=', first) : eb(column, 'in', [...values])
}

/** Creates the condition for a status at an instant. Where several apply, the first of these wins: revoked, inactive, pending, expired, active. */
export const statusCondition = (eb: Tokens, status: TokenStatus, now: number, column: ColumnOf = plain): Expression<SqlBool> => {
  const state = column(eb, 'state')
  if (status === 'revoked' || status === 'inactive') return eb(state, '=', status)
  const live = eb(state, '=', 'live')
  if (status === 'pending') return eb.and([live, eb('tokens.not_before', '>', now)])
  const begun = eb.or([eb('tokens.not_before', 'is', null), eb('tokens.not_before', '<=', now)])
  if (status === 'expired') return eb.and([live, begun, eb('tokens.expires_at', '<=', now)])
  return eb.and([live, begun, eb.or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)])])
}
