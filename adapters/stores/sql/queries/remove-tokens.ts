import { CompiledQuery } from 'kysely'
import type { Sql } from '../context.js'
import type { Steps } from '../engine.js'
import { deleteByKey } from './by-key.js'
import { waitBriefly } from './short-wait.js'

/**
 * Removes tokens, before the feed is locked. Rows of the host's tables may refer to them, and the server then waits for host transactions that have locked
 * these rows. Nothing else changes a token that is being removed: all of them are revoked.
 */
export function* removeTokens(sql: Sql, ids: readonly string[]): Steps<void> {
  if (ids.length === 0) return
  // Otherwise deferred constraints would be checked, and wait, at the end of the transaction, which then holds the feed.
  if (sql.quirks.dialect === 'postgres') yield CompiledQuery.raw('set constraints all immediate')
  yield* waitBriefly(sql, () => deleteByKey(sql, 'tokens', ids))
}
