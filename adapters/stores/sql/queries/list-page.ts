import type { AliasableExpression, CompiledQuery, Expression, ExpressionBuilder, SelectQueryBuilder, SqlBool } from 'kysely'
import type { ListedToken } from '../../../../src/model/record.js'
import type { ListQuery } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import type { Tables } from '../schema/schema.js'
import { TOKEN_COLUMNS, type TokenRow, type Wide } from '../schema/token-columns.js'
import { rowToListed } from '../schema/token-row.js'
import { type ColumnOf, filterConditions, hidden, plain, statusCondition } from './filter.js'
import type { Plan } from './list-plan.js'

/** A part of a list, and how to find its rows. */
export type Part = { readonly query: ListQuery; readonly folded: string; readonly plan: Plan }

/** Whether a token comes after a place in list order. Written out because not every server uses an index for `(a, b) < (x, y)`. */
const isAfter = (
  eb: ExpressionBuilder<Tables, 'tokens'>,
  { createdAt, id }: NonNullable<ListQuery['after']>,
  column: ColumnOf,
): Expression<SqlBool> => {
  const at = column('created_at')
  return eb.and([eb(at, '<=', createdAt), eb.or([eb(at, '<', createdAt), eb(column('id'), '<', id)])])
}

/** Returns the conditions of all tokens that match. */
export const matches = (eb: ExpressionBuilder<Tables, 'tokens'>, { quirks }: Sql, { query, folded, plan }: Part): Expression<SqlBool> => {
  const { now, after } = query
  const column = plan.hide ? hidden : plain
  const [dueAt, expiresAt] = [column('rotation_due_at'), column('expires_at')]
  const conditions: Expression<SqlBool>[] = filterConditions(eb, query, column)
  if (query.statuses !== undefined) conditions.push(eb.or(query.statuses.map((status) => statusCondition(eb, status, now, column))))
  if (folded !== '') conditions.push(quirks.nameContains(folded))
  if (query.idStartsWith !== undefined) {
    // A range that uses the primary key and has no pattern characters. No ID contains a character after `z`.
    const id = column('id')
    conditions.push(eb(id, '>=', query.idStartsWith), eb(id, '<', `${query.idStartsWith}{`))
  }
  if (plan.narrow !== undefined) conditions.push(plan.narrow)
  if (query.rotationDue) {
    conditions.push(eb(dueAt, '<=', now), eb('tokens.revoked_at', 'is', null))
    conditions.push(eb('tokens.replaced_by_id', 'is', null))
    conditions.push(eb.or([eb(expiresAt, 'is', null), eb(expiresAt, '>', now)]))
  }
  if (query.rotationDueFrom !== undefined) conditions.push(eb(dueAt, '>=', query.rotationDueFrom))
  if (query.expiresFrom !== undefined) conditions.push(eb(expiresAt, '>=', query.expiresFrom))
  if (query.expiresBefore !== undefined) conditions.push(eb(expiresAt, '<', query.expiresBefore))
  if (query.notReplaced) conditions.push(eb('tokens.replaced_by_id', 'is', null))
  if (query.imported) conditions.push(eb('tokens.imported_from', 'is not', null))
  if (query.neverExpires) conditions.push(eb(expiresAt, 'is', null))
  const uses = eb.selectFrom('last_uses').select('last_uses.token_id').whereRef('last_uses.token_id', '=', 'tokens.id')
  if (query.neverUsed) conditions.push(eb.not(eb.exists(uses)))
  if (query.unusedSince !== undefined) {
    conditions.push(eb.not(eb.exists(uses.where('last_uses.last_used_at', '>=', query.unusedSince))))
  }
  if (after !== undefined) conditions.push(isAfter(eb, after, column))
  return eb.and(conditions)
}

type Id = { id: string; created_at: Wide }

/** Selects the IDs of a page. */
const idsOf = (context: Sql, part: Part): AliasableExpression<Id> => {
  const { query, plan } = part
  const found: SelectQueryBuilder<Tables, 'tokens', Id> = context.builder
    .selectFrom('tokens')
    .select(['tokens.id', 'tokens.created_at'])
    .where((eb) => matches(eb, context, part))
  const { by } = plan
  // MySQL and MariaDB would write the rows of the inner query to a temporary table first.
  if (by !== undefined && context.quirks.dialect !== 'mysql') {
    // The limit keeps the server from merging the two queries, and Postgres from starting workers, which takes longer than the query.
    const latestFirst = found.orderBy(`tokens.${by}`, 'desc').limit(Number.MAX_SAFE_INTEGER)
    const some = context.builder.selectFrom(latestFirst.as('found')).select(['found.id', 'found.created_at'])
    return some.orderBy('found.created_at', 'desc').orderBy('found.id', 'desc').limit(query.limit)
  }
  return (
    found
      // No index covers a sum, so the server cannot walk the list when sorting a few rows is cheaper.
      .orderBy((eb) => (plan.sort ? eb('tokens.created_at', '+', 0) : eb.ref('tokens.created_at')), 'desc')
      .orderBy('tokens.id', 'desc')
      .limit(query.limit)
  )
}

/** Selects the IDs of the first rows of each part, and of those the first. Together they contain the page, even if a part has only a few tokens. */
const idsOfParts = (context: Sql, parts: readonly Part[], limit: number) => {
  const [first, ...others] = parts.map((part) =>
    context.builder.selectFrom(idsOf(context, part).as('own')).select(['own.id', 'own.created_at']),
  )
  return others
    .reduce((all, next) => all?.unionAll(next), first)
    ?.orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
}

type Listed = TokenRow & { last_used_at: Wide | null; last_used_ip: string | null }

const selected = TOKEN_COLUMNS.map((column) => `tokens.${column}` as const)

/** Compiles the query of a page. It reads whole rows only for the page: rows that are skipped or sorted out are read from indexes. */
const compile = (context: Sql, page: AliasableExpression<Id>): CompiledQuery<Listed> =>
  context.builder
    .selectFrom(page.as('page'))
    .innerJoin('tokens', 'tokens.id', 'page.id')
    .leftJoin('last_uses', 'last_uses.token_id', 'page.id')
    .select([...selected, 'last_uses.last_used_at', 'last_uses.last_used_ip'])
    .orderBy('tokens.created_at', 'desc')
    .orderBy('tokens.id', 'desc')
    .compile()

/** Reads the first tokens of some parts in one statement. */
export const readPage = async (context: Sql, parts: readonly Part[]): Promise<readonly ListedToken[]> => {
  const [first] = parts
  if (first === undefined) return []
  const page = (parts.length > 1 ? idsOfParts(context, parts, first.query.limit) : undefined) ?? idsOf(context, first)
  const { rows } = await (context.engine.read ?? context.engine.run)(compile(context, page))
  return rows.map(rowToListed)
}
