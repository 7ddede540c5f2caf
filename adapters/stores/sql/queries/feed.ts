import { sql as raw } from 'kysely'
import type { FeedPage } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { wide } from '../schema/wide.js'

const CURSOR = /^\d{1,16}$/

/**
 * The changes behind a cursor.
 *
 * One statement reads the feed's ends and its lines, so that both come from one snapshot: the head was written under a row lock in the
 * transactions that wrote the lines, so every line up to a head that is seen is seen too.
 */
export const changes = async (sql: Sql, after: string | undefined, limit: number): Promise<FeedPage> => {
  const { builder, engine } = sql
  const known = after !== undefined && CURSOR.test(after) ? Number(after) : undefined
  const nothing = { ids: [], ownerIds: [], more: false }
  if (known === undefined) {
    const { rows } = await engine.run(builder.selectFrom('feed').select('head').where('id', '=', 1).compile())
    return { cursor: String(wide(rows[0]?.head ?? 0)), ...nothing, everything: after !== undefined }
  }
  const { rows } = await engine.run(
    builder
      .selectFrom('feed')
      .leftJoin('changes', (join) => join.on('changes.seq', '>', raw.val(known)))
      .select(['feed.head', 'feed.floor', 'changes.seq', 'changes.kind', 'changes.changed_id'])
      .where('feed.id', '=', 1)
      .orderBy('changes.seq')
      .limit(limit + 1)
      .compile(),
  )
  const head = wide(rows[0]?.head ?? 0)
  // Behind what was kept, or ahead of what there is (another database, or one restored from a backup): trust nothing.
  if (known < wide(rows[0]?.floor ?? 0) || known > head) return { cursor: String(head), ...nothing, everything: true }
  const ids: string[] = []
  const ownerIds: string[] = []
  let everything = false
  let cursor = head
  const more = rows.length > limit
  for (const row of more ? rows.slice(0, limit) : rows) {
    if (row.seq === null || row.seq === undefined) break
    if (row.kind === 'token') ids.push(row.changed_id ?? '')
    else if (row.kind === 'owner') ownerIds.push(row.changed_id ?? '')
    else everything = true
    if (more) cursor = wide(row.seq)
  }
  return { cursor: String(cursor), ids, ownerIds, everything, more }
}
