import { type Expression, type ExpressionBuilder, type SelectType, type SqlBool, sql } from 'kysely'
import type { TokenStatus } from '../../../../src/model/record.js'
import type { TokenFilter } from '../../../../src/store/port.js'
import type { Tables } from '../schema/schema.js'

type Tokens = ExpressionBuilder<Tables, 'tokens'>

/** The columns that indexes contain. */
type IndexedColumn =
  | 'id'
  | 'prefix'
  | 'tenant_id'
  | 'owner_id'
  | 'created_by'
  | 'root_id'
  | 'state'
  | 'created_at'
  | 'expires_at'
  | 'not_before'
  | 'rotation_due_at'

/** How a condition refers to such a column: in a way that allows or prevents the use of its index. */
export type ColumnOf = <Name extends IndexedColumn>(name: Name) => Expression<SelectType<Tables['tokens'][Name]>>

/** Allows the use of an index. */
export const plain: ColumnOf = (name) => sql.ref(`tokens.${name}`)

/** Keeps SQLite from using an index (https://www.sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_). */
export const hidden: ColumnOf = (name) => sql`+${sql.ref(`tokens.${name}`)}`

/** Creates the conditions of a filter; `prefix` is always one of them. */
export const filterConditions = (eb: Tokens, filter: TokenFilter, column: ColumnOf = plain): Expression<SqlBool>[] => {
  const conditions: Expression<SqlBool>[] = [eb(column('prefix'), '=', filter.prefix)]
  if (filter.ids !== undefined) conditions.push(anyOf(eb, plain('id'), filter.ids))
  if (filter.tenantIds !== undefined) conditions.push(anyOf(eb, column('tenant_id'), filter.tenantIds))
  if (filter.ownerId !== undefined) conditions.push(eb(column('owner_id'), '=', filter.ownerId))
  if (filter.createdBy !== undefined) conditions.push(eb(column('created_by'), '=', filter.createdBy))
  if (filter.rootId !== undefined) conditions.push(eb(column('root_id'), '=', filter.rootId))
  return conditions
}

const anyOf = (eb: Tokens, column: Expression<string | null>, values: readonly string[]): Expression<SqlBool> => {
  const [first] = values
  if (first === undefined) return eb(eb.val(1), '=', 0)
  return values.length === 1 ? eb(column, '=', first) : eb(column, 'in', [...values])
}

/** Creates the condition for a status at an instant. Where several apply, the first of these wins: revoked, inactive, pending, expired, active. */
export const statusCondition = (eb: Tokens, status: TokenStatus, now: number, column: ColumnOf = plain): Expression<SqlBool> => {
  const [state, notBefore, expiresAt] = [column('state'), column('not_before'), column('expires_at')]
  if (status === 'revoked' || status === 'inactive') return eb(state, '=', status)
  const live = eb(state, '=', 'live')
  if (status === 'pending') return eb.and([live, eb(notBefore, '>', now)])
  const begun = eb.or([eb(notBefore, 'is', null), eb(notBefore, '<=', now)])
  if (status === 'expired') return eb.and([live, begun, eb(expiresAt, '<=', now)])
  return eb.and([live, begun, eb.or([eb(expiresAt, 'is', null), eb(expiresAt, '>', now)])])
}
