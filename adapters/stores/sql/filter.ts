import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { TokenFilter, TokenStatus } from '../../../src/store.js'
import type { Tables } from './schema.js'

type Tokens = ExpressionBuilder<Tables, 'tokens'>

/** The conditions of a filter; `prefix` is always one of them. */
export const filterConditions = (eb: Tokens, filter: TokenFilter): Expression<SqlBool>[] => {
  const conditions: Expression<SqlBool>[] = [eb('tokens.prefix', '=', filter.prefix)]
  if (filter.ids !== undefined) conditions.push(anyOf(eb, 'tokens.id', filter.ids))
  if (filter.tenantIds !== undefined) conditions.push(anyOf(eb, 'tokens.tenant_id', filter.tenantIds))
  if (filter.ownerId !== undefined) conditions.push(eb('tokens.owner_id', '=', filter.ownerId))
  if (filter.createdBy !== undefined) conditions.push(eb('tokens.created_by', '=', filter.createdBy))
  return conditions
}

const anyOf = (eb: Tokens, column: 'tokens.id' | 'tokens.tenant_id', values: readonly string[]): Expression<SqlBool> => {
  const [first] = values
  if (first === undefined) return eb(eb.val(1), '=', 0)
  return values.length === 1 ? eb(column, '=', first) : eb(column, 'in', [...values])
}

/** One status at an instant, in the order revoked, inactive, pending, expired, active. */
export const statusCondition = (eb: Tokens, status: TokenStatus, now: number): Expression<SqlBool> => {
  if (status === 'revoked' || status === 'inactive') return eb('tokens.state', '=', status)
  const live = eb('tokens.state', '=', 'live')
  if (status === 'pending') return eb.and([live, eb('tokens.not_before', '>', now)])
  const begun = eb.or([eb('tokens.not_before', 'is', null), eb('tokens.not_before', '<=', now)])
  if (status === 'expired') return eb.and([live, begun, eb('tokens.expires_at', '<=', now)])
  return eb.and([live, begun, eb.or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)])])
}
