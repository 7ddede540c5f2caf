import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { ListQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import type { Tables } from '../schema/schema.js'
import { wide } from '../schema/wide.js'
import { MOST_TENANTS, type Plan } from './list-plan.js'

/** A place in list order. */
export type Place = NonNullable<ListQuery['after']>

/** Whether a token comes after a place in list order. Written out because not every server uses an index for `(a, b) < (x, y)`. */
export const isAfter = (eb: ExpressionBuilder<Tables, 'tokens'>, { createdAt, id }: Place): Expression<SqlBool> =>
  eb.and([eb('tokens.created_at', '<=', createdAt), eb.or([eb('tokens.created_at', '<', createdAt), eb('tokens.id', '<', id)])])

/** The index that contains the tokens of a list in list order, and possibly others: a column, and the values whose tokens it contains. */
type Walk = { readonly column: 'created_by' | 'owner_id' | 'tenant_id' | 'prefix'; readonly values: readonly string[] }

/** The minimum number of tokens that are examined for each of several tenants. */
const LEAST_EACH = 100

const walkOf = ({ prefix, tenantIds, ownerId, createdBy }: ListQuery): Walk => {
  if (createdBy !== undefined) return { column: 'created_by', values: [createdBy] }
  if (ownerId !== undefined) return { column: 'owner_id', values: [ownerId] }
  const tenants = [...new Set(tenantIds)]
  return tenantIds !== undefined && tenants.length <= MOST_TENANTS
    ? { column: 'tenant_id', values: tenants }
    : { column: 'prefix', values: [prefix] }
}

/**
 * Returns whether a list on SQLite may have to skip almost all tokens that its index contains. On SQLite, the process can do nothing else during a
 * statement. The other databases run on servers of their own, and find the fastest plan themselves.
 */
export const skips = ({ quirks }: Sql, query: ListQuery, folded: string, plan: Plan): boolean => {
  if (quirks.dialect !== 'sqlite' || plan.sort || plan.narrow !== undefined) return false
  const { statuses, idStartsWith, rotationDue, expiresFrom, expiresBefore, notReplaced, imported, neverExpires, neverUsed, unusedSince } =
    query
  // These have indexes of their own.
  if ([rotationDue, expiresFrom, expiresBefore].some((filter) => filter !== undefined)) return false
  const indexed = statuses?.length === 1 && (statuses[0] === 'revoked' || statuses[0] === 'inactive')
  const filters = [indexed ? undefined : statuses, idStartsWith, notReplaced, imported, neverExpires, neverUsed, unusedSince]
  return folded !== '' || filters.some((filter) => filter !== undefined)
}

/** Returns where a list stops so that it examines about `most` tokens, or `undefined` if there are fewer. */
export const edgeOf = async ({ builder, engine }: Sql, query: ListQuery, most: number): Promise<Place | undefined> => {
  const { prefix, after } = query
  const { column, values } = walkOf(query)
  const edges = values.map((value) => {
    const row = builder
      .selectFrom('tokens')
      .select(['id', 'created_at'])
      .where((eb) => {
        const conditions: Expression<SqlBool>[] = [eb('prefix', '=', prefix)]
        if (column !== 'prefix') conditions.push(eb(column, '=', value))
        if (after !== undefined) conditions.push(isAfter(eb, after))
        return eb.and(conditions)
      })
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .offset(Math.max(LEAST_EACH, Math.floor(most / values.length)) - 1)
    return builder.selectFrom(row.as('edge')).select(['edge.id', 'edge.created_at'])
  })
  const [first, ...others] = edges
  const newest = others
    .reduce((all, next) => all?.unionAll(next), first)
    ?.orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .compile()
  const row = newest && (await (engine.read ?? engine.run)(newest)).rows[0]
  return row && { createdAt: wide(row.created_at), id: row.id }
}
