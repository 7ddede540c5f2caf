import { type ExpressionBuilder, sql as raw } from 'kysely'
import { ConflictError } from '../../../../src/errors.js'
import type { StoredEvent } from '../../../../src/model/event.js'
import { bulkEvents } from '../../../../src/store/bulk-events.js'
import type { BulkResult, RevocationStamp, TokenFilter } from '../../../../src/store/port.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import type { Tables } from '../schema/schema.js'
import type { Wide } from '../schema/token-columns.js'
import { wide } from '../schema/wide.js'
import { filterConditions } from './filter.js'
import { bulkLine } from './lines.js'
import { refuseFenced } from './moves.js'
import { placeAll } from './place-events.js'
import { writeFeed } from './write-feed.js'

/** How many token IDs are read at a time if tokens are revoked by ID. Each read skips over the tokens that are already revoked. */
const MOST_READ = 50_000

/**
 * Selects the tokens to revoke. Excludes tokens whose creation has no position in the audit log yet: host transactions may add some after the events were
 * placed, even between the statement that counts and the one that revokes.
 */
const matchedBy = (filter: TokenFilter) => (eb: ExpressionBuilder<Tables, 'tokens'>) =>
  eb.and([
    ...filterConditions(eb, filter),
    eb('tokens.revoked_at', 'is', null),
    eb.not(eb.exists(eb.selectFrom('outbox').select('outbox.id').whereRef('outbox.token_id', '=', 'tokens.id'))),
  ])

/** How many tokens of each tenant were revoked. */
type Counts = Map<string | undefined, number>

/** Revokes the matching tokens, and adds them to the counts. */
function* revoke({ builder, quirks }: Sql, filter: TokenFilter, stamp: RevocationStamp, counts: Counts): Steps<void> {
  const add = (rows: readonly { readonly tenant_id: string | null; readonly found: Wide }[]): void => {
    for (const { tenant_id, found } of rows) counts.set(tenant_id ?? undefined, (counts.get(tenant_id ?? undefined) ?? 0) + wide(found))
  }
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
  const found = raw<Wide>`count(*)`.as('found')
  if (quirks.updatesInWith) {
    const revoked = builder.with('revoked', () => update.where(matching).returning('tenant_id'))
    add((yield* ask(revoked.selectFrom('revoked').select(['tenant_id', found]).groupBy('tenant_id'))).rows)
  } else if (quirks.waitsForInserts) {
    for (;;) {
      const { rows } = yield* ask(builder.selectFrom('tokens').select('id').where(matching).limit(MOST_READ))
      if (rows.length === 0) return
      for (const piece of chunks(rows.map(({ id }) => id))) {
        const within = (eb: ExpressionBuilder<Tables, 'tokens'>) => eb.and([eb('id', 'in', piece), eb('revoked_at', 'is', null)])
        // Another transaction may have revoked some of them since they were read.
        const { rows: locked } = yield* ask(builder.selectFrom('tokens').select('tenant_id').where(within).forUpdate())
        add(locked.map(({ tenant_id }) => ({ tenant_id, found: 1 })))
        yield* ask(update.where(within))
      }
    }
  } else {
    // No other transaction writes in the meantime.
    const counted = builder.selectFrom('tokens').select(['tenant_id', found]).where(matching).groupBy('tenant_id')
    add((yield* ask(counted)).rows)
    yield* ask(update.where(matching))
  }
}

/**
 * Revokes the matching tokens in two steps.
 *
 * The first step revokes most of them before it locks the feed, so that changes to other tokens need not wait. The second step runs under that lock and revokes
 * the tokens added since. Other changes lock their tokens before the feed, so the second step can deadlock with a change to a token that was just added. The
 * server then aborts one of the two, which is retried. `atOnce` omits the first step.
 */
function* steps(sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent, atOnce: boolean): Steps<BulkResult> {
  const { builder, quirks } = sql
  const counts: Counts = new Map()
  if (!atOnce) {
    yield* refuseFenced(sql, filter.prefix)
    yield* revoke(sql, filter, stamp, counts)
  }
  // Every change takes this lock before it commits, so that no other transaction changes a token from here on; only host transactions can add some.
  yield* quirks.bump(builder, 0)
  yield* refuseFenced(sql, filter.prefix)
  // The events that created the tokens must precede the revocation.
  const waiting = yield* placeAll(sql, filter.prefix)
  const placed = waiting.length > 0 && { placed: waiting }
  const taken = yield* ask(builder.selectFrom('events').select('id').where('id', '=', event.id))
  if (taken.rows.length > 0) throw exists(event)
  yield* revoke(sql, filter, stamp, counts)
  if (counts.size === 0) return { count: 0, events: [], ...placed }
  const events = bulkEvents(event, counts)
  yield* writeFeed(sql, events, [bulkLine(filter)])
  const count = [...counts.values()].reduce((sum, found) => sum + found, 0)
  return { count, events, ...placed }
}

const exists = (event: StoredEvent): ConflictError =>
  new ConflictError('conflict', `an audit event with ID ${JSON.stringify(event.id.slice(0, 64))} already exists`)

/** How often the two steps are tried. Under serializable isolation, any concurrent change would make them fail every time. */
const ATTEMPTS_IN_STEPS = 3

/** Revokes all matching tokens, with the events and the line in the feed in the same transaction. */
export const revokeWhere = async (sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult> => {
  const { dialect } = sql.quirks
  let attempts = 0
  try {
    return await sql.engine.transaction(() => {
      attempts += 1
      return steps(sql, filter, stamp, event, dialect === 'sqlite' || attempts > ATTEMPTS_IN_STEPS)
    })
  } catch (error) {
    if (sql.quirks.faultOf(error) !== 'duplicate') throw error
    throw exists(event)
  }
}
