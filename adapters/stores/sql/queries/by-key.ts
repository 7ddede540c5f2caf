import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import type { Tables } from '../schema/schema.js'

type Keyed = 'tokens' | 'outbox'

/** Lists of up to this many IDs are split on MySQL. Lists that are locked while the feed is locked should not be longer. */
export const ONE_AT_A_TIME = 200

/**
 * Divides IDs into lists for statements that lock rows by ID.
 *
 * To find several rows of a small table, MySQL and MariaDB may read all of it. They would then also meet locked rows of other transactions, such as tokens
 * that a host transaction has just inserted.
 */
export const piecesOf = ({ quirks }: Sql, ids: readonly string[]): readonly (readonly string[])[] =>
  quirks.dialect === 'mysql' && ids.length <= ONE_AT_A_TIME ? ids.map((id) => [id]) : chunks(ids)

/** The condition for one of these lists. */
export const isOneOf =
  (ids: readonly string[]) =>
  (eb: ExpressionBuilder<Tables, Keyed>): Expression<SqlBool> => {
    const [first] = ids
    return ids.length === 1 && first !== undefined ? eb('id', '=', first) : eb('id', 'in', ids)
  }

/** Deletes rows by their IDs. */
export function* deleteByKey(sql: Sql, table: Keyed, ids: readonly string[]): Steps<void> {
  for (const piece of piecesOf(sql, ids)) yield* ask(sql.builder.deleteFrom(table).where(isOneOf(piece)))
}
