import { sql as raw } from 'kysely'
import type { FeedPage, OwnerChange, TokenFilter } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { isAbsent, wide } from '../schema/wide.js'
import { continues, cursorOf, FEED_COLUMNS, positionOf } from './feed-position.js'

/**
 * Reads the changes after a cursor.
 *
 * One statement reads the feed's ends and its lines, so both come from one snapshot. The transactions that wrote the lines also wrote the head, under a row
 * lock, so a snapshot that shows a head also shows every line up to it.
 */
export const changes = async (sql: Sql, after: string | undefined, limit: number): Promise<FeedPage> => {
  const { builder, engine, lineage } = sql
  const known = positionOf(after)
  const nothing = { ids: [], owners: [], bulk: [], more: false }
  if (known === undefined) {
    const { rows } = await (engine.feed ?? engine.run)(
      builder.selectFrom('feed').select(['head', 'run', 'run_before']).where('id', '=', 1).compile(),
    )
    if (rows[0] !== undefined) lineage?.note(rows[0])
    return { cursor: cursorOf({ run: rows[0]?.run ?? '', at: wide(rows[0]?.head ?? 0) }), ...nothing, everything: after !== undefined }
  }
  const { rows } = await (engine.feed ?? engine.run)(
    builder
      .selectFrom('feed')
      .leftJoin('changes', (join) => join.on('changes.seq', '>', raw.val(known.at)))
      .select(FEED_COLUMNS.map((column) => `feed.${column}` as const))
      .select(['changes.seq', 'changes.kind', 'changes.changed_id', 'changes.detail'])
      .where('feed.id', '=', 1)
      .orderBy('changes.seq')
      .limit(limit + 1)
      .compile(),
  )
  const [feed] = rows
  if (feed !== undefined) lineage?.note(feed)
  const run = feed?.run ?? ''
  const head = wide(feed?.head ?? 0)
  if (feed === undefined || !continues(feed, known)) return { cursor: cursorOf({ run, at: head }), ...nothing, everything: true }
  const ids: string[] = []
  const owners: OwnerChange[] = []
  const bulk: TokenFilter[] = []
  let at = head
  const more = rows.length > limit
  for (const { seq, kind, changed_id, detail } of more ? rows.slice(0, limit) : rows) {
    if (isAbsent(seq) || isAbsent(changed_id)) break
    if (kind === 'token') ids.push(changed_id)
    else if (kind === 'owner') owners.push({ ownerId: changed_id, ...(!isAbsent(detail) && { tenantId: detail }) })
    else bulk.push(JSON.parse(detail ?? '') as TokenFilter)
    if (more) at = wide(seq)
  }
  return { cursor: cursorOf({ run, at }), ids, owners, bulk, everything: false, more }
}
