import type { StoredEvent } from '../../../../src/model/event.js'
import { PLACED_AT_ONCE } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { unplacedRowToEvent } from '../schema/event-row.js'
import { deleteByKey } from './by-key.js'
import { tokenLine } from './lines.js'
import { writeFeed } from './write-feed.js'

const waiting = ({ builder }: Sql, prefix: string) => builder.selectFrom('outbox').where('prefix', '=', prefix)

/** Assigns positions to a batch of waiting events. The caller holds the lock of the feed, so no other process places the same events. */
function* placeBatch(sql: Sql, prefix: string): Steps<readonly StoredEvent[]> {
  const { builder } = sql
  const { rows } = yield* ask(waiting(sql, prefix).selectAll().orderBy('at').orderBy('id').limit(PLACED_AT_ONCE))
  if (rows.length === 0) return []
  const ids = rows.map(({ id }) => id)
  yield* deleteByKey(sql, 'outbox', ids)
  const { rows: placed } = yield* ask(builder.selectFrom('events').select('id').where('id', 'in', ids))
  const known = new Set(placed.map(({ id }) => id))
  const events = rows.filter(({ id }) => !known.has(id)).map(unplacedRowToEvent)
  const tokens = events.flatMap(({ tokenId }) => (tokenId === undefined ? [] : [tokenLine(tokenId)]))
  if (events.length > 0) yield* writeFeed(sql, events, tokens)
  return events
}

/** Assigns positions to all waiting events, before a change that they must precede. */
export function* placeAll(sql: Sql, prefix: string): Steps<readonly StoredEvent[]> {
  const placed: StoredEvent[] = []
  for (;;) {
    const batch = yield* placeBatch(sql, prefix)
    if (batch.length === 0) return placed
    placed.push(...batch)
  }
}

function* steps(sql: Sql, prefix: string): Steps<readonly StoredEvent[]> {
  yield* sql.quirks.bump(sql.builder, 0)
  return yield* placeBatch(sql, prefix)
}

/** Assigns a position in the order to each event of a committed host transaction. Checks without a lock first, because there is usually nothing to do. */
export const placeEvents = async (sql: Sql, prefix: string): Promise<readonly StoredEvent[]> => {
  const { rows } = await sql.engine.run(waiting(sql, prefix).select('id').limit(1).compile())
  return rows.length === 0 ? [] : await sql.engine.transaction(() => steps(sql, prefix))
}
