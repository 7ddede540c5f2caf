import type { StoredEvent } from '../../../../src/model/event.js'
import { PLACED_AT_ONCE } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { unplacedRowToEvent } from '../schema/event-row.js'
import { deleteByKey } from './by-key.js'
import { tokenLine } from './lines.js'
import { writeFeed } from './write-feed.js'

const waiting = ({ builder }: Sql, prefix: string) => builder.selectFrom('outbox').where('prefix', '=', prefix)

/**
 * Reads a batch of waiting events. The caller holds the lock of the feed, so no other process places the same ones.
 *
 * On MySQL, a host transaction that creates a token a second time locks the first one's event until it ends. Such an event is skipped, because waiting for it
 * would block the changes of all tenants.
 */
function* readBatch(sql: Sql, prefix: string) {
  const batch = waiting(sql, prefix).selectAll().orderBy('at').orderBy('id').limit(PLACED_AT_ONCE)
  return (yield* ask(sql.quirks.dialect === 'mysql' ? batch.forUpdate().skipLocked() : batch)).rows
}

/** Assigns positions to a batch of waiting events. Returns them, and whether there was a batch. */
function* placeBatch(sql: Sql, prefix: string): Steps<{ readonly events: readonly StoredEvent[]; readonly found: boolean }> {
  const { builder } = sql
  const rows = yield* readBatch(sql, prefix)
  if (rows.length === 0) return { events: [], found: false }
  const ids = rows.map(({ id }) => id)
  yield* deleteByKey(sql, 'outbox', ids)
  const { rows: placed } = yield* ask(builder.selectFrom('events').select('id').where('id', 'in', ids))
  const known = new Set(placed.map(({ id }) => id))
  const events = rows.filter(({ id }) => !known.has(id)).map(unplacedRowToEvent)
  const tokens = events.flatMap(({ tokenId }) => (tokenId === undefined ? [] : [tokenLine(tokenId)]))
  if (events.length > 0) yield* writeFeed(sql, events, tokens)
  return { events, found: true }
}

/** Events that were placed, and the tokens of those that another transaction holds. */
type Placed = { readonly placed: readonly StoredEvent[]; readonly heldTokens: readonly string[] }

/** Assigns positions to all waiting events, before a change that they must precede. */
export function* placeAll(sql: Sql, prefix: string): Steps<Placed> {
  const placed: StoredEvent[] = []
  for (;;) {
    const { rows } = yield* ask(waiting(sql, prefix).select('token_id').limit(PLACED_AT_ONCE))
    const { events, found } = yield* placeBatch(sql, prefix)
    placed.push(...events)
    if (!found) return { placed, heldTokens: rows.flatMap(({ token_id }) => token_id ?? []) }
  }
}

function* steps(sql: Sql, prefix: string): Steps<readonly StoredEvent[]> {
  yield* sql.quirks.bump(sql.builder, 0)
  return (yield* placeBatch(sql, prefix)).events
}

/** Returns whether events are waiting for a position. */
export const hasWaiting = async (sql: Sql, prefix: string): Promise<boolean> =>
  (await sql.engine.run(waiting(sql, prefix).select('id').limit(1).compile())).rows.length > 0

/** Assigns a position in the order to each event of a committed host transaction. Checks without a lock first, because there is usually nothing to do. */
export const placeEvents = async (sql: Sql, prefix: string): Promise<readonly StoredEvent[]> =>
  (await hasWaiting(sql, prefix)) ? await sql.engine.transaction(() => steps(sql, prefix)) : []
