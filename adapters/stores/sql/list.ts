import type { CompiledQuery, Expression, SqlBool } from 'kysely'
import type { ListedToken, ListQuery } from '../../../src/store.js'
import type { Sql } from './context.js'
import { filterConditions, statusCondition } from './filter.js'
import { foldAscii, rowToListed } from './rows.js'
import { TOKEN_COLUMNS, type TokenRow, type Wide } from './schema.js'

type Listed = TokenRow & { last_used_at: Wide | null; last_used_ip: string | null }

const selected = TOKEN_COLUMNS.map((column) => `tokens.${column}` as const)

const compile = ({ builder, quirks }: Sql, query: ListQuery): CompiledQuery<Listed> =>
  builder
    .selectFrom('tokens')
    .leftJoin('last_uses', 'last_uses.token_id', 'tokens.id')
    .select([...selected, 'last_uses.last_used_at', 'last_uses.last_used_ip'])
    .where((eb) => {
      const { now, after } = query
      const conditions: Expression<SqlBool>[] = filterConditions(eb, query)
      if (query.statuses !== undefined) conditions.push(eb.or(query.statuses.map((status) => statusCondition(eb, status, now))))
      if (query.nameContains !== undefined && query.nameContains !== '') conditions.push(quirks.nameContains(foldAscii(query.nameContains)))
      if (query.rotationDue) {
        conditions.push(eb('tokens.rotation_due_at', '<=', now), eb('tokens.revoked_at', 'is', null))
        conditions.push(eb('tokens.replaced_by_id', 'is', null))
        conditions.push(eb.or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]))
      }
      if (query.expiresBefore !== undefined) conditions.push(eb('tokens.expires_at', '<', query.expiresBefore))
      if (query.neverExpires) conditions.push(eb('tokens.expires_at', 'is', null))
      if (query.neverUsed) conditions.push(eb('last_uses.token_id', 'is', null))
      if (query.unusedSince !== undefined) {
        conditions.push(eb.or([eb('last_uses.last_used_at', 'is', null), eb('last_uses.last_used_at', '<', query.unusedSince)]))
      }
      if (after !== undefined) {
        // Written out, because not every server uses an index for `(a, b) < (x, y)`.
        conditions.push(eb('tokens.created_at', '<=', after.createdAt))
        conditions.push(eb.or([eb('tokens.created_at', '<', after.createdAt), eb('tokens.id', '<', after.id)]))
      }
      return eb.and(conditions)
    })
    .orderBy('tokens.created_at', 'desc')
    .orderBy('tokens.id', 'desc')
    .limit(query.limit)
    .compile()

/** One page of tokens, newest first, from a keyset cursor. */
export const list = async (sql: Sql, query: ListQuery): Promise<readonly ListedToken[]> => {
  const { rows } = await sql.engine.run(compile(sql, query))
  return rows.map(rowToListed)
}
