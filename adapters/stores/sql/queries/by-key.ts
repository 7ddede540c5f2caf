import type { CompiledQuery, QueryResult } from 'kysely'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'

type Keyed = 'tokens' | 'outbox'

/** Runs a select or an update that finds rows by their IDs, and locks no others. */
export function* askByKey<R>({ quirks }: Sql, query: { compile(): CompiledQuery<R> }): Steps<QueryResult<R>> {
  const compiled = query.compile()
  return (yield quirks.byKey?.(compiled) ?? compiled) as QueryResult<R>
}

/** Up to this many rows are deleted one by one on MySQL. */
const FEW = 200

/**
 * Deletes rows by their IDs. On MySQL, a few rows are deleted one by one, because a statement that deletes several may read all of a small table, and
 * nothing can prevent that.
 */
export function* deleteByKey({ builder, quirks }: Sql, table: Keyed, ids: readonly string[]): Steps<void> {
  const size = quirks.byKey !== undefined && ids.length <= FEW ? 1 : undefined
  for (const piece of chunks(ids, size)) yield* ask(builder.deleteFrom(table).where('id', 'in', piece))
}
