import type { StoredEvent } from '../../../../src/model/event.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { eventToRow } from '../schema/event-row.js'
import { continues, FEED_COLUMNS, positionOf } from './feed-position.js'
import type { Line } from './lines.js'

/** How many positions of the feed are kept. A node that is further behind starts over. */
const KEEP = 100_000
/** The feed is trimmed in steps of this many positions, so that no single commit does much of the work. */
const STEP = 1_000

/** Cuts off the oldest entries of a long feed, in the transaction of a commit that crossed a step. */
function* trimFeed(sql: Sql, head: number, floor: number): Steps<void> {
  if (head - floor < KEEP + STEP) return
  const cut = Math.min(head - KEEP, floor + 2 * STEP)
  yield* ask(sql.builder.deleteFrom('changes').where('seq', '<=', cut))
  yield* ask(sql.builder.updateTable('feed').set({ floor: cut }).where('id', '=', 1))
}

/** Drops the entries of the feed up to a cursor, or all of them if the cursor is unknown, under the feed's row lock. */
export function* cutFeed({ builder, quirks }: Sql, upTo: string): Steps<void> {
  const { head, floor } = yield* quirks.bump(builder, 0)
  const { rows } = yield* ask(builder.selectFrom('feed').select(FEED_COLUMNS).where('id', '=', 1))
  const [feed, position] = [rows[0], positionOf(upTo)]
  // A position that was already cut off is known too. Below the floor, entries may still be stored.
  const isKnown = feed !== undefined && position !== undefined && continues({ ...feed, floor: 0 }, position)
  const cut = isKnown ? Math.max(position.at, floor) : head
  yield* ask(builder.deleteFrom('changes').where('seq', '<=', cut))
  yield* ask(builder.updateTable('feed').set({ floor: cut }).where('id', '=', 1))
}

/**
 * Advances the feed, then writes the events and the lines at the positions that this reserved. `first` runs as soon as the feed is locked, so that work that
 * must start over holds the lock only briefly.
 */
export function* writeFeed(
  sql: Sql,
  events: readonly StoredEvent[],
  lines: readonly Line[],
  first?: () => Steps<unknown>,
): Steps<{ readonly seq: number }> {
  const { head, floor } = yield* sql.quirks.bump(sql.builder, events.length + lines.length)
  if (first !== undefined) yield* first()
  let seq = head - events.length - lines.length
  for (const piece of chunks(events)) {
    yield* ask(sql.builder.insertInto('events').values(piece.map((event) => eventToRow(event, ++seq))))
  }
  for (const piece of chunks(lines)) {
    yield* ask(sql.builder.insertInto('changes').values(piece.map((line) => ({ seq: ++seq, ...line }))))
  }
  yield* trimFeed(sql, head, floor)
  const announcement = lines.length > 0 ? sql.quirks.announce?.(sql.names) : undefined
  if (announcement !== undefined) yield announcement
  return { seq: head }
}
