import { sql as raw } from 'kysely'
import type { FeedPage, OwnerChange, TokenFilter } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { isAbsent, wide } from '../schema/wide.js'

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
  const nothing = { ids: [], owners: [], bulk: [], more: false }
  if (known === undefined) {
    const { rows } = await engine.run(builder.selectFrom('feed').select('head').where('id', '=', 1).compile())
    return { cursor: String(wide(rows[0]?.head ?? 0)), ...nothing, everything: after !== undefined }
  }
  const { rows } = await engine.run(
    builder
      .selectFrom('feed')
      .leftJoin('changes', (join) => join.on('changes.seq', '>', raw.val(known)))
      .select(['feed.head', 'feed.floor', 'changes.seq', 'changes.kind', 'changes.changed_id', 'changes.detail'])
      .where('feed.id', '=', 1)
      .orderBy('changes.seq')
      .limit(limit + 1)
      .compile(),
  )
  const head = wide(rows[0]?.head ?? 0)
  // Behind what was kept, or ahead of what there is (another database, or one restored from a backup): trust nothing.
  if (known < wide(rows[0]?.floor ?? 0) || known > head) return { cursor: String(head), ...nothing, everything: true }
  const ids: string[] = []
  const owners: OwnerChange[] = []
  const bulk: TokenFilter[] = []
  let cursor = head
  const more = rows.length > limit
  for (const { seq, kind, changed_id, detail } of more ? rows.slice(0, limit) : rows) {
    if (isAbsent(seq) || isAbsent(changed_id)) break
    if (kind === 'token') ids.push(changed_id)
    else if (kind === 'owner') owners.push({ ownerId: changed_id, ...(!isAbsent(detail) && { tenantId: detail }) })
    else bulk.push(JSON.parse(detail ?? '') as TokenFilter)
    if (more) cursor = wide(seq)
  }
  return { cursor: String(cursor), ids, owners, bulk, everything: false, more }
}
