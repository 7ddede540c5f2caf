import { CompiledQuery } from 'kysely'
import type { StoredToken } from '../../../../src/model/record.js'
import type { Quirks } from '../quirks.js'
import type { FeedRow } from '../schema/schema.js'
import type { Names } from '../schema/table-names.js'
import { TOKEN_COLUMNS, type TokenRow, type Wide } from '../schema/token-columns.js'
import { rowToToken } from '../schema/token-row.js'
import { isAbsent, wide } from '../schema/wide.js'
import { continues, FEED_COLUMNS, type Position } from './feed-position.js'

type Row = { readonly [Column in keyof FeedRow as `feed_${Column}`]: FeedRow[Column] } & {
  readonly feed_identity: string | null
  readonly feed_moves: string | null
  readonly feed_bulk: Wide
} & { readonly [Column in keyof TokenRow]: TokenRow[Column] | null }

/**
 * Compiles the query that reads a replica's feed position and tokens in one statement, and therefore from one snapshot.
 *
 * Omits tokens that changed on the replica after the position, or whose transaction has no position in the feed yet. Their records may belong to a diverged
 * history, if the replica followed a primary that was replaced.
 */
export const compileReplicaRead = (quirks: Quirks, names: Names): ((ids: readonly string[], after: Position) => CompiledQuery) => {
  const table = (name: Parameters<Quirks['table']>[1]): string => quirks.table(names, name)
  const text = `select ${FEED_COLUMNS.map((column) => `f.${column} as feed_${column}`).join(', ')},
    (select value from ${table('identity')} where id = 1) as feed_identity,
    (select detail from ${table('moves')} where id = 1) as feed_moves,
    (select count(*) from ${table('changes')} where seq > $2 and kind = 'bulk') as feed_bulk,
    ${TOKEN_COLUMNS.map((column) => `t.${column}`).join(', ')}
  from ${table('feed')} f left join ${table('tokens')} t on t.id = any($1::text[])
    and not exists (select 1 from ${table('changes')} c where c.seq > $2 and c.kind = 'token' and c.changed_id = t.id)
    and not exists (select 1 from ${table('outbox')} o where o.token_id = t.id)
  where f.id = 1`
  return (ids, { at }) => CompiledQuery.raw(text, [ids, at])
}

/** The answer of a replica: the records that can be trusted, or the reason why none can. */
export type ReplicaAnswer = { readonly records: readonly StoredToken[] } | { readonly unfit: 'behind' | 'other' }

const feedOf = (row: Row): FeedRow => ({
  head: row.feed_head,
  floor: row.feed_floor,
  run: row.feed_run,
  run_from: row.feed_run_from,
  run_before: row.feed_run_before,
})

/**
 * Interprets the answer of a replica.
 *
 * If the replica is at or past the position, a record that it did not change since is as of that position, and later changes arrive through the feed.
 */
export const readReplica = (rows: readonly unknown[], identity: string | undefined, after: Position): ReplicaAnswer => {
  const [row] = rows as readonly Row[]
  if (row === undefined || identity === undefined || row.feed_identity !== identity) return { unfit: 'other' }
  if (!continues(feedOf(row), after)) return { unfit: 'behind' }
  // While a move copies tokens from another store, the feed does not list each one. A bulk change does not list its tokens either.
  if (row.feed_moves !== '{}' || wide(row.feed_bulk) !== 0) return { records: [] }
  return { records: (rows as readonly Row[]).filter(({ id }) => !isAbsent(id)).map((one) => rowToToken(one as TokenRow)) }
}
