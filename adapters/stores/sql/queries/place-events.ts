import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { StoredEvent } from '../../../../src/model/event.js'
import { PLACED_AT_ONCE } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { unplacedRowToEvent } from '../schema/event-row.js'
import type { Tables } from '../schema/schema.js'
import { askByKey, deleteByKey } from './by-key.js'
import { tokenLine } from './lines.js'
import { writeFeed } from './write-feed.js'

/** The rows of events that wait for a position: all of a prefix, or those about some tokens. */
const waiting = ({ builder }: Sql, prefix: string, tokenIds?: readonly string[]) => {
  const all = builder.selectFrom('outbox').where('prefix', '=', prefix)
  return tokenIds === undefined ? all : all.where('token_id', 'in', tokenIds)
}

/** Returns whether an event has no position yet. A waiting row may remain for a while after its event was placed. */
export const isUnplaced = (eb: ExpressionBuilder<Tables, 'outbox'>): Expression<SqlBool> =>
  eb.not(eb.exists(eb.selectFrom('events').select('events.id').whereRef('events.id', '=', 'outbox.id')))

/**
 * Removes the rows of placed events.
 *
 * On MySQL, a host transaction that creates a token a second time may lock the first one's row until it ends. Such a row stays until a later batch, because
 * waiting for it would block the changes of all tenants.
 */
function* removeRows(sql: Sql, ids: readonly string[]): Steps<void> {
  if (sql.quirks.dialect !== 'mysql') return yield* deleteByKey(sql, 'outbox', ids)
  const free = sql.builder.selectFrom('outbox').select(['id', 'prefix']).where('id', 'in', ids).forUpdate().skipLocked()
  const { rows } = yield* askByKey(sql, free)
  yield* deleteByKey(
    sql,
    'outbox',
    rows.map(({ id }) => id),
  )
}

/** Returns the rows of placed events that could not be removed at the time. Only MySQL has such rows. */
function* leftRows(sql: Sql, prefix: string): Steps<readonly string[]> {
  if (sql.quirks.dialect !== 'mysql') return []
  const left = waiting(sql, prefix).where((eb) => eb.not(isUnplaced(eb)))
  return (yield* ask(left.select('id').limit(PLACED_AT_ONCE))).rows.map(({ id }) => id)
}

function* removeLeft(sql: Sql, prefix: string): Steps<void> {
  const left = yield* leftRows(sql, prefix)
  if (left.length > 0) yield* removeRows(sql, left)
}

/** Assigns positions to a batch of waiting events. The caller holds the feed lock, so no other process places the same ones. */
function* placeBatch(sql: Sql, prefix: string, tokenIds?: readonly string[]): Steps<readonly StoredEvent[]> {
  const { rows } = yield* ask(
    waiting(sql, prefix, tokenIds).where(isUnplaced).selectAll().orderBy('at').orderBy('id').limit(PLACED_AT_ONCE),
  )
  const old = rows.length < PLACED_AT_ONCE ? yield* leftRows(sql, prefix) : []
  const ids = [...old, ...rows.map(({ id }) => id)]
  if (ids.length > 0) yield* removeRows(sql, ids)
  const events = rows.map(unplacedRowToEvent)
  const tokens = events.flatMap(({ tokenId }) => (tokenId === undefined ? [] : [tokenLine(tokenId)]))
  if (events.length > 0) yield* writeFeed(sql, events, tokens)
  return events
}

/** Assigns positions to all waiting events, before a change that they must precede. */
export function* placeAll(sql: Sql, prefix: string): Steps<readonly StoredEvent[]> {
  const placed: StoredEvent[] = []
  for (;;) {
    const batch = yield* placeBatch(sql, prefix)
    placed.push(...batch)
    if (batch.length < PLACED_AT_ONCE) return placed
  }
}

function* steps(sql: Sql, prefix: string, tokenIds: readonly string[] | undefined): Steps<readonly StoredEvent[]> {
  yield* sql.quirks.bump(sql.builder, 0)
  return yield* placeBatch(sql, prefix, tokenIds)
}

const areAny = async ({ engine }: Sql, query: ReturnType<typeof waiting>): Promise<boolean> =>
  (await engine.run(query.select('id').limit(1).compile())).rows.length > 0

/** Returns whether events, or those about some tokens, have no position yet. */
export const hasUnplaced = (sql: Sql, prefix: string, tokenIds?: readonly string[]): Promise<boolean> =>
  areAny(sql, waiting(sql, prefix, tokenIds).where(isUnplaced))

/** Assigns a position in the order to each event of a committed host transaction. Checks without a lock first, because there is usually nothing to do. */
export const placeEvents = async (sql: Sql, prefix: string, tokenIds?: readonly string[]): Promise<readonly StoredEvent[]> => {
  if (tokenIds === undefined && !(await areAny(sql, waiting(sql, prefix)))) return []
  if (await hasUnplaced(sql, prefix, tokenIds)) return await sql.engine.transaction(() => steps(sql, prefix, tokenIds))
  // Without the feed lock, because a host transaction may keep such a row locked while many callers read events.
  if (tokenIds === undefined) await sql.engine.transaction(() => removeLeft(sql, prefix))
  return []
}
