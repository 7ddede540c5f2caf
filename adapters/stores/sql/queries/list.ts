import { type AliasableExpression, type CompiledQuery, type Expression, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import type { ListedToken } from '../../../../src/model/record.js'
import { foldAscii } from '../../../../src/policy/fold-ascii.js'
import type { ListQuery, TokenPage } from '../../../../src/store/port.js'
import { createTurns } from '../../../../src/store/timer.js'
import type { Sql } from '../context.js'
import type { Tables } from '../schema/schema.js'
import { TOKEN_COLUMNS, type TokenRow, type Wide } from '../schema/token-columns.js'
import { rowToListed } from '../schema/token-row.js'
import { type ColumnOf, filterConditions, statusCondition } from './filter.js'
import { edgeOf, isAfter, type Place, skips } from './list-edge.js'
import { MOST_TENANTS, type Plan, planOf } from './list-plan.js'

/** How many tokens the first statement of a list examines. Each one after it examines more, because few tokens match. */
const FIRST = 500
const GROWTH = 4
/** The maximum number of tokens that one statement examines. */
const MOST = 5_000

/** A query, and the last place in the list that its statement examines, if it stops before the end. */
type Limited = ListQuery & { readonly edge?: Place | undefined }

type Listed = TokenRow & { last_used_at: Wide | null; last_used_ip: string | null }

const selected = TOKEN_COLUMNS.map((column) => `tokens.${column}` as const)

type Id = { id: string; created_at: Wide }

/** Selects all tokens that match, in no order. */
const matching = ({ builder, quirks }: Sql, query: Limited, folded: string, plan: Plan): SelectQueryBuilder<Tables, 'tokens', Id> => {
  const { now, after, edge } = query
  const column: ColumnOf = (eb, name) => (plan.hide ? sql<string>`+${sql.ref(`tokens.${name}`)}` : eb.ref(`tokens.${name}`))
  return builder
    .selectFrom('tokens')
    .select(['tokens.id', 'tokens.created_at'])
    .where((eb) => {
      const conditions: Expression<SqlBool>[] = filterConditions(eb, query, column)
      if (query.statuses !== undefined) conditions.push(eb.or(query.statuses.map((status) => statusCondition(eb, status, now, column))))
      if (folded !== '') conditions.push(quirks.nameContains(folded))
      if (query.idStartsWith !== undefined) {
        // A range that uses the primary key and has no pattern characters. No ID contains a character after `z`.
        conditions.push(eb('tokens.id', '>=', query.idStartsWith), eb('tokens.id', '<', `${query.idStartsWith}{`))
      }
      if (plan.narrow !== undefined) conditions.push(plan.narrow)
      if (query.rotationDue) {
        conditions.push(eb('tokens.rotation_due_at', '<=', now), eb('tokens.revoked_at', 'is', null))
        conditions.push(eb('tokens.replaced_by_id', 'is', null))
        conditions.push(eb.or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]))
      }
      if (query.rotationDueFrom !== undefined) conditions.push(eb('tokens.rotation_due_at', '>=', query.rotationDueFrom))
      if (query.expiresFrom !== undefined) conditions.push(eb('tokens.expires_at', '>=', query.expiresFrom))
      if (query.expiresBefore !== undefined) conditions.push(eb('tokens.expires_at', '<', query.expiresBefore))
      if (query.notReplaced) conditions.push(eb('tokens.replaced_by_id', 'is', null))
      if (query.imported) conditions.push(eb('tokens.imported_from', 'is not', null))
      if (query.neverExpires) conditions.push(eb('tokens.expires_at', 'is', null))
      const uses = eb.selectFrom('last_uses').select('last_uses.token_id').whereRef('last_uses.token_id', '=', 'tokens.id')
      if (query.neverUsed) conditions.push(eb.not(eb.exists(uses)))
      if (query.unusedSince !== undefined) {
        conditions.push(eb.not(eb.exists(uses.where('last_uses.last_used_at', '>=', query.unusedSince))))
      }
      if (after !== undefined) conditions.push(isAfter(eb, after))
      if (edge !== undefined) {
        conditions.push(eb('tokens.created_at', '>=', edge.createdAt))
        conditions.push(eb.or([eb('tokens.created_at', '>', edge.createdAt), eb('tokens.id', '>=', edge.id)]))
      }
      return eb.and(conditions)
    })
}

/** Selects the IDs of the page. */
const idsOf = (context: Sql, query: Limited, folded: string, plan: Plan): AliasableExpression<Id> => {
  const found = matching(context, query, folded, plan)
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

/** Reads the first rows of each tenant from that tenant's index, for a few tenants. Together they contain the page, even if a tenant has only a few tokens. */
const idsOfTenants = (context: Sql, query: Limited, tenantIds: readonly string[], folded: string, plan: Plan) => {
  const [first, ...others] = tenantIds.map((tenantId) => {
    const ofTenant = idsOf(context, { ...query, tenantIds: [tenantId] }, folded, plan)
    return context.builder.selectFrom(ofTenant.as('own')).select(['own.id', 'own.created_at'])
  })
  return others
    .reduce((all, next) => all?.unionAll(next), first)
    ?.orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(query.limit)
}

/** Reads whole rows only for the page: rows that are skipped or sorted out are read from indexes. */
const compile = (context: Sql, query: Limited, folded: string, plan: Plan): CompiledQuery<Listed> => {
  const tenantIds = [...new Set(query.tenantIds)]
  const apart = tenantIds.length > 1 && tenantIds.length <= MOST_TENANTS && !plan.sort
  const page = apart ? idsOfTenants(context, query, tenantIds, folded, plan) : undefined
  return context.builder
    .selectFrom((page ?? idsOf(context, query, folded, plan)).as('page'))
    .innerJoin('tokens', 'tokens.id', 'page.id')
    .leftJoin('last_uses', 'last_uses.token_id', 'page.id')
    .select([...selected, 'last_uses.last_used_at', 'last_uses.last_used_ip'])
    .orderBy('tokens.created_at', 'desc')
    .orderBy('tokens.id', 'desc')
    .compile()
}

/**
 * Reads one page of tokens, newest first, from a keyset cursor.
 *
 * If SQLite may have to skip most tokens, statements examine a limited number of them, one after another, until the page is full. Other work runs in between.
 */
export const list = async (context: Sql, query: ListQuery): Promise<TokenPage> => {
  const folded = foldAscii(query.nameContains ?? '')
  const plan = await planOf(context, query, folded)
  if (typeof plan === 'string') return Object.assign([], { tooWide: plan })
  const read = async (part: Limited): Promise<readonly ListedToken[]> => {
    const { rows } = await (context.engine.read ?? context.engine.run)(compile(context, part, folded, plan))
    return rows.map(rowToListed)
  }
  if (!skips(context, query, folded, plan)) return read(query)
  const giveWay = createTurns(() => performance.now())
  const page: ListedToken[] = []
  let rest: ListQuery = query
  for (let most = FIRST; ; most = Math.min(GROWTH * most, MOST)) {
    const edge = await edgeOf(context, rest, most)
    page.push(...(await read({ ...rest, edge })))
    if (edge === undefined || page.length >= query.limit) return page
    rest = { ...query, after: edge, limit: query.limit - page.length }
    await giveWay()
  }
}
