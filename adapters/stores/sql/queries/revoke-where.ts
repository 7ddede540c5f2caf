import type { ExpressionBuilder } from 'kysely'
import { ConflictError } from '../../../../src/errors.js'
import type { StoredEvent } from '../../../../src/model/event.js'
import { bulkEvents } from '../../../../src/store/bulk-events.js'
import type { BulkResult, RevocationStamp, TokenFilter } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { affected, ask, type Steps } from '../engine.js'
import type { Tables } from '../schema/schema.js'
import { wide } from '../schema/wide.js'
import { filterConditions } from './filter.js'
import { bulkLine } from './lines.js'
import { refuseFenced } from './moves.js'
import { placeAll } from './place-events.js'
import { writeFeed } from './write-feed.js'

/** The maximum number of tokens per statement, if they are revoked by ID. */
const BATCH = 500

/**
 * The tokens that a revocation ends. Excludes tokens whose creation has no position in the audit yet: host transactions may add some after the events were
 * placed, even between the statement that counts and the one that revokes.
 */
const matchedBy = (filter: TokenFilter) => (eb: ExpressionBuilder<Tables, 'tokens'>) =>
  eb.and([
    ...filterConditions(eb, filter),
    eb('tokens.revoked_at', 'is', null),
    eb.not(eb.exists(eb.selectFrom('outbox').select('outbox.id').whereRef('outbox.token_id', '=', 'tokens.id'))),
  ])

function* revoke({ builder, quirks }: Sql, filter: TokenFilter, stamp: RevocationStamp): Steps<number> {
  const matching = matchedBy(filter)
  const update = builder.updateTable('tokens').set((eb) => ({
    revoked_at: stamp.revokedAt,
    revoked_by: stamp.revokedBy,
    revoked_code: stamp.revokedCode,
    revoked_reason: stamp.revokedReason ?? null,
    bulk_id: stamp.bulkId,
    updated_at: stamp.revokedAt,
    version: eb('version', '+', 1),
  }))
  if (!quirks.waitsForInserts) return affected(yield* ask(update.where(matching)))
  let count = 0
  for (;;) {
    const { rows } = yield* ask(builder.selectFrom('tokens').select('id').where(matching).limit(BATCH))
    if (rows.length === 0) return count
    const ids = rows.map(({ id }) => id)
    count += affected(yield* ask(update.where('id', 'in', ids).where('revoked_at', 'is', null)))
  }
}

function* steps(sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Steps<BulkResult> {
  const { builder, quirks } = sql
  // Every change takes this lock first. From here on nobody else changes a token, and only host transactions can add some.
  yield* quirks.bump(builder, 0)
  yield* refuseFenced(sql, filter.prefix)
  // The events that created the tokens must precede the revocation.
  const waiting = yield* placeAll(sql, filter.prefix)
  const placed = waiting.length > 0 && { placed: waiting }
  const taken = yield* ask(builder.selectFrom('events').select('id').where('id', '=', event.id))
  if (taken.rows.length > 0) throw exists(event)
  const { rows } = yield* ask(
    builder
      .selectFrom('tokens')
      .select((eb) => ['tenant_id', eb.fn.countAll<number | string | bigint>().as('found')])
      .where(matchedBy(filter))
      .groupBy('tenant_id'),
  )
  const touched = new Map(rows.map(({ tenant_id, found }) => [tenant_id ?? undefined, wide(found)]))
  if (touched.size === 0) return { count: 0, events: [], ...placed }
  const count = yield* revoke(sql, filter, stamp)
  const events = bulkEvents(event, touched)
  yield* writeFeed(sql, events, [bulkLine(filter)])
  return { count, events, ...placed }
}

const exists = (event: StoredEvent): ConflictError =>
  new ConflictError('conflict', `an audit event with ID ${JSON.stringify(event.id.slice(0, 64))} already exists`)

/** Revokes all matching tokens, with the events and the line in the feed in the same transaction. */
export const revokeWhere = async (sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult> => {
  try {
    return await sql.engine.transaction(() => steps(sql, filter, stamp, event))
  } catch (error) {
    if (sql.quirks.faultOf(error) !== 'duplicate') throw error
    throw exists(event)
  }
}
