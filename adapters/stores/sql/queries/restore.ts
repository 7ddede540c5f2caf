import type { Restored, RestoreResult } from '../../../../src/store/moving.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { eventToRow } from '../schema/event-row.js'
import { tokenToRow } from '../schema/token-row.js'
import { lockMoves } from './moves.js'
import { addUsage, clearUsage } from './usage.js'

function* writeTokens(sql: Sql, { prefix, tokens = [], removedTokens = [] }: Restored): Steps<void> {
  const { builder } = sql
  const replaced = [...removedTokens, ...tokens.map(({ id }) => id)]
  for (const piece of chunks(replaced)) yield* ask(builder.deleteFrom('tokens').where('prefix', '=', prefix).where('id', 'in', piece))
  yield* clearUsage(sql, removedTokens)
  for (const piece of chunks(tokens)) yield* ask(builder.insertInto('tokens').values(piece.map(tokenToRow)))
}

function* writeEvents({ builder }: Sql, { prefix, events = [], removedEvents = [] }: Restored): Steps<void> {
  const replaced = [...removedEvents, ...events.map(({ id }) => id)]
  for (const piece of chunks(replaced)) yield* ask(builder.deleteFrom('events').where('prefix', '=', prefix).where('id', 'in', piece))
  for (const piece of chunks(events)) yield* ask(builder.insertInto('events').values(piece.map((event) => eventToRow(event, event.seq))))
  const last = Math.max(0, ...events.map(({ seq }) => seq))
  yield* ask(builder.updateTable('feed').set({ head: last }).where('id', '=', 1).where('head', '<', last))
}

function* writeUsage(sql: Sql, { usage = [] }: Restored): Steps<void> {
  yield* clearUsage(
    sql,
    usage.filter(({ rest }) => rest !== true).map(({ tokenId }) => tokenId),
  )
  yield* addUsage(sql, {
    counts: usage.flatMap(({ counts }) => counts),
    addresses: usage.flatMap(({ addresses }) => addresses),
    lastUses: usage.flatMap(({ lastUse }) => lastUse ?? []),
  })
}

function* writeRows({ builder }: Sql, { prefix, consumers = [], removedConsumers = [], seals = [] }: Restored): Steps<void> {
  for (const name of [...removedConsumers, ...consumers.map(({ name }) => name)]) {
    yield* ask(builder.deleteFrom('consumers').where('prefix', '=', prefix).where('name', '=', name))
  }
  for (const { name, version, position, holder = null } of consumers) {
    yield* ask(builder.insertInto('consumers').values({ prefix, name, version, position, holder }))
  }
  for (const { number, body } of seals) {
    yield* ask(builder.deleteFrom('seals').where('prefix', '=', prefix).where('number', '=', number))
    yield* ask(builder.insertInto('seals').values({ prefix, number, body }))
  }
}

function* steps(sql: Sql, restored: Restored): Steps<RestoreResult> {
  const moves = yield* lockMoves(sql, 'shared')
  if (moves[restored.prefix]?.runId !== restored.runId) return 'superseded'
  yield* writeTokens(sql, restored)
  yield* writeEvents(sql, restored)
  yield* writeUsage(sql, restored)
  yield* writeRows(sql, restored)
  return 'written'
}

/** Writes the data of another store in one transaction, if the move of the prefix belongs to this run. */
export const restore = async (sql: Sql, restored: Restored): Promise<RestoreResult> => {
  try {
    return await sql.engine.transaction(() => steps(sql, restored))
  } catch (error) {
    if (sql.quirks.faultOf(error) === 'duplicate') return 'taken'
    throw error
  }
}
