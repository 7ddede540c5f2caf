import { type ExpressionBuilder, sql as raw } from 'kysely'
import { ConflictError } from '../../../../src/errors.js'
import type { StoredEvent } from '../../../../src/model/event.js'
import { bulkEvents } from '../../../../src/store/bulk-events.js'
import { refuseWhileMoving } from '../../../../src/store/moving.js'
import type { BulkResult, RevocationStamp, TokenFilter } from '../../../../src/store/port.js'
import { chunks, type Sql } from '../context.js'
import { ask, HeldSignal, type Steps } from '../engine.js'
import { oneAtATime } from '../one-at-a-time.js'
import { sleep } from '../retry.js'
import { BULK_ROW } from '../schema/lock-rows.js'
import type { Tables } from '../schema/schema.js'
import type { Wide } from '../schema/token-columns.js'
import { wide } from '../schema/wide.js'
import { askByKey } from './by-key.js'
import { filterConditions } from './filter.js'
import { bulkLines } from './lines.js'
import { readMove, refuseFenced } from './moves.js'
import { hasUnplaced, isUnplaced, placeAll } from './place-events.js'
import { waitFor } from './short-wait.js'
import { awaiting, awaitTokens, type LockedToken, locked, lockRow, lockTokens, untilFree } from './token-locks.js'
import { writeFeed } from './write-feed.js'

/** Up to this many tokens are revoked in one step, while no other transaction changes any token. */
const FEW = 200
/** How many token IDs are read at a time if tokens are revoked by ID. Each read skips over the tokens that are already revoked. */
const MOST_READ = 200_000
/** The maximum number of rounds, before the feed is locked, that revoke the tokens that changed in the meantime. Changes during the last round are left. */
const MOST_ROUNDS = 5
/** How long a revocation waits for tokens that another revocation has locked. */
const PATIENCE_MS = 60_000

/**
 * Selects the tokens to revoke. Excludes tokens whose creation has no position in the audit log yet: host transactions may add such tokens after the events
 * were placed, even between the statement that counts and the statement that revokes.
 */
const matchedBy = (filter: TokenFilter) => (eb: ExpressionBuilder<Tables, 'tokens'>) =>
  eb.and([
    ...liveAndMatching(eb, filter),
    eb.not(eb.exists(eb.selectFrom('outbox').select('outbox.id').whereRef('outbox.token_id', '=', 'tokens.id').where(isUnplaced))),
  ])

// Only the state, because indexes contain it, but not the instant of a revocation. If the server had to read the rows, this would take much longer.
const liveAndMatching = (eb: ExpressionBuilder<Tables, 'tokens'>, filter: TokenFilter) => [
  ...filterConditions(eb, filter),
  eb('tokens.state', 'in', ['live', 'inactive']),
]

/** The matching tokens. */
const found = ({ builder }: Sql, filter: TokenFilter) => builder.selectFrom('tokens').where(matchedBy(filter))

/** The IDs of the matching tokens, up to `FEW + 1`: with that many, there may be more. */
const fewIds = (sql: Sql, filter: TokenFilter) =>
  found(sql, filter)
    .select('id')
    .limit(FEW + 1)

/** How many tokens of each tenant were revoked. */
type Counts = Map<string | undefined, number>

const addTo = (counts: Counts, tenantId: string | null, count: number): void => {
  counts.set(tenantId ?? undefined, (counts.get(tenantId ?? undefined) ?? 0) + count)
}

/** The update that revokes tokens. */
const updateOf = ({ builder }: Sql, stamp: RevocationStamp) =>
  builder.updateTable('tokens').set((eb) => ({
    revoked_at: stamp.revokedAt,
    revoked_by: stamp.revokedBy,
    revoked_code: stamp.revokedCode,
    revoked_reason: stamp.revokedReason ?? null,
    bulk_id: stamp.bulkId,
    updated_at: stamp.revokedAt,
    version: eb('version', '+', 1),
  }))

/** A revocation: its filter, its stamp, and the number of tokens that it has revoked so far, by tenant. */
type Work = { readonly filter: TokenFilter; readonly stamp: RevocationStamp; readonly counts: Counts }

const TENANT_AND_COUNT = ['tenant_id', raw<Wide>`count(*)`.as('found')] as const

/** Reads the last position of the feed without a lock. A read that starts later sees every change up to that position. */
function* headOf({ builder }: Sql): Steps<number> {
  const { rows } = yield* ask(builder.selectFrom('feed').select('head').where('id', '=', 1))
  return wide(rows[0]?.head ?? 0)
}

/** Reads the matching tokens that were added or changed after a position of the feed. Returns `undefined` if the feed no longer reaches back that far. */
function* foundSince(sql: Sql, filter: TokenFilter, since: number): Steps<readonly string[] | undefined> {
  const { builder } = sql
  const changed = builder.selectFrom('changes').select('changed_id').distinct().where('seq', '>', since).where('kind', '=', 'token')
  const { rows } = yield* ask(changed)
  // Read after the lines, which another transaction could otherwise trim in between.
  const ends = yield* ask(builder.selectFrom('feed').select('floor').where('id', '=', 1))
  if (wide(ends.rows[0]?.floor ?? 0) > since) return undefined
  const ids: string[] = []
  for (const piece of chunks(rows.map(({ changed_id }) => changed_id))) {
    const among = builder.selectFrom('tokens').select('id').where('id', 'in', piece).where(matchedBy(filter))
    ids.push(...(yield* askByKey(sql, among)).rows.map(({ id }) => id))
  }
  return ids
}

/**
 * Revokes the matching tokens while other transactions may change tokens, and waits for those that they have locked. Returns a position of the feed. The
 * matching tokens that are left were all added or changed after it.
 */
function* revokeWaiting(sql: Sql, work: Work): Steps<number> {
  const { builder, quirks } = sql
  const { filter, stamp, counts } = work
  let since = yield* headOf(sql)
  if (quirks.updatesInWith) {
    const revoked = builder.with('revoked', () => updateOf(sql, stamp).where(matchedBy(filter)).returning('tenant_id'))
    const { rows } = yield* ask(revoked.selectFrom('revoked').select(TENANT_AND_COUNT).groupBy('tenant_id'))
    for (const row of rows) addTo(counts, row.tenant_id, wide(row.found))
    return since
  }
  for (;;) {
    const some = found(sql, filter).select('id').limit(MOST_READ)
    // In the order of the primary index. Otherwise a server that cannot keep the table in memory would read each page many times.
    const { rows } = yield* ask(builder.selectFrom(some.as('some')).select('id').orderBy('id'))
    yield* revokeInTurn(
      sql,
      rows.map(({ id }) => id),
      work,
    )
    if (rows.length < MOST_READ) break
    since = yield* headOf(sql)
  }
  return since
}

/** Revokes the matching tokens that were added or changed after a position of the feed, several times, and returns the position that it has reached. */
function* revokeRecent(sql: Sql, work: Work, from: number): Steps<number> {
  let since = from
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const head = yield* headOf(sql)
    const ids = yield* foundSince(sql, work.filter, since)
    if (ids === undefined) break
    yield* revokeInTurn(sql, ids, work)
    since = head
    if (ids.length <= FEW) break
  }
  return since
}

/** Locks tokens by ID, waiting for those that other transactions have locked, and revokes those that still match. */
function* revokeInTurn(sql: Sql, ids: readonly string[], { filter, stamp, counts }: Work): Steps<void> {
  for (const piece of chunks(ids)) {
    const tokens = sql.builder.selectFrom('tokens').where('id', 'in', piece)
    // By ID alone, because changes lock tokens by ID. Through another index, the two could lock the same rows in different orders.
    yield* askByKey(sql, locked(sql, tokens.select('id').orderBy('id')))
    // Since the IDs were read, other transactions may have revoked some of the tokens, or changed them so that they no longer match.
    const still = tokens.where((eb) => eb.and(liveAndMatching(eb, filter))).select(['id', 'tenant_id'])
    yield* revokeLocked(sql, (yield* askByKey(sql, still)).rows, stamp, counts)
  }
}

/** Revokes tokens that this transaction has locked. */
function* revokeLocked(sql: Sql, tokens: readonly LockedToken[], stamp: RevocationStamp, counts: Counts): Steps<void> {
  for (const { tenant_id } of tokens) addTo(counts, tenant_id, 1)
  const ids = tokens.map(({ id }) => id)
  for (const piece of chunks(ids)) yield* askByKey(sql, updateOf(sql, stamp).where('id', 'in', piece))
}

/**
 * Revokes the matching tokens under the feed lock, so that no other transaction changes or adds tokens.
 *
 * With a position of the feed, reads only tokens that were added or changed after it. To find others, a server would have to skip over all the tokens that
 * this transaction has just revoked, while the changes of all tenants wait.
 */
function* revokeUnderFeed(sql: Sql, { filter, stamp, counts }: Work, since?: number): Steps<void> {
  if (sql.quirks.isHeld === undefined) {
    const { rows } = yield* ask(found(sql, filter).select(TENANT_AND_COUNT).groupBy('tenant_id'))
    for (const row of rows) addTo(counts, row.tenant_id, wide(row.found))
    yield* ask(updateOf(sql, stamp).where(matchedBy(filter)))
    return
  }
  const recent = since === undefined ? undefined : yield* foundSince(sql, filter, since)
  const ids = recent ?? (yield* ask(found(sql, filter).select('id'))).rows.map(({ id }) => id)
  yield* revokeLocked(sql, yield* lockTokens(sql, ids), stamp, counts)
}

/**
 * Revokes the matching tokens.
 *
 * If there are many, `inSteps` is called, and a first step revokes most of them before the feed is locked, so that changes to other tokens do not have
 * to wait. The rest is done under that lock. Changes also lock tokens only under the feed lock, so the rest contains no token that one of them has locked.
 */
function* steps(sql: Sql, work: Work, event: StoredEvent, inSteps?: () => void, awaits = false): Steps<BulkResult> {
  const { builder, quirks } = sql
  const { filter, counts } = work
  let since: number | undefined
  if (inSteps !== undefined) {
    yield* refuseFenced(sql, filter.prefix)
    yield* lockRow(sql, BULK_ROW)
    inSteps()
    // Not for long, because other large revocations wait in line. If a host transaction keeps a token locked, this one starts over at the end of the line.
    yield* waitFor(sql, quirks.longerWait, function* () {
      since = yield* revokeRecent(sql, work, yield* revokeWaiting(sql, work))
    })
  }
  if (awaits) {
    const { rows } = yield* ask(fewIds(sql, filter))
    yield* awaitTokens(
      sql,
      rows.map(({ id }) => id),
    )
  }
  // Every change takes this lock before it commits, so from here on no other transaction changes a token. Only host transactions can add tokens.
  yield* quirks.bump(builder, 0)
  yield* refuseFenced(sql, filter.prefix)
  // The events that created the tokens must precede the revocation.
  const waiting = yield* placeAll(sql, filter.prefix)
  const placed = waiting.length > 0 && { placed: waiting }
  const taken = yield* ask(builder.selectFrom('events').select('id').where('id', '=', event.id))
  if (taken.rows.length > 0) throw exists(event)
  yield* revokeUnderFeed(sql, work, since)
  if (counts.size === 0) return { count: 0, events: [], ...placed }
  const events = bulkEvents(event, counts)
  yield* writeFeed(sql, events, bulkLines(filter, counts.keys()))
  const count = [...counts.values()].reduce((sum, found) => sum + found, 0)
  return { count, events, ...placed }
}

const exists = (event: StoredEvent): ConflictError =>
  new ConflictError('conflict', `an audit event with ID ${JSON.stringify(event.id.slice(0, 64))} already exists`)

/** How many times the two steps are tried. Under serializable isolation, any concurrent change would make the two steps fail. */
const ATTEMPTS_IN_STEPS = 3

/** The longest pause after an attempt that found a token locked. Otherwise, a revocation pauses for as long as its attempt took. */
const LONGEST_REST_MS = 5_000

/** Runs the large revocations of each store one after another. They would wait for one another anyway, each holding a connection. */
const inLine = oneAtATime<Sql>()

const revokeMany = async (sql: Sql, begin: (inSteps?: () => void) => Steps<BulkResult>): Promise<BulkResult> => {
  const { engine } = sql
  let attempts = 0
  let begun = performance.now()
  const inSteps = (): void => {
    attempts += 1
  }
  try {
    return await inLine(sql, () => {
      begun = performance.now()
      return (engine.longTransaction ?? engine.transaction)(() => begin(attempts < ATTEMPTS_IN_STEPS ? inSteps : undefined))
    })
  } catch (error) {
    // All of it was rolled back. A token that stays locked must not keep the server busy with attempts.
    if (error instanceof HeldSignal) await sleep(Math.min(performance.now() - begun, LONGEST_REST_MS))
    throw error
  }
}

/** Estimates how many tokens match, before any lock is taken: none, a few, or more than are revoked in one step. */
const countIn = async (sql: Sql, filter: TokenFilter): Promise<'none' | 'few' | 'many'> => {
  if (sql.quirks.isHeld === undefined) return 'few'
  // First, because another node may place an event between the two reads. Its token does not count before that.
  const mayMiss = await hasUnplaced(sql, filter.prefix)
  const { rows } = await sql.engine.run(fewIds(sql, filter).compile())
  if (rows.length > 0) return rows.length > FEW ? 'many' : 'few'
  return mayMiss ? 'few' : 'none'
}

/** Revokes all matching tokens, with the events and the line in the feed in the same transaction. */
export const revokeWhere = async (sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult> => {
  const begin = (inSteps?: () => void, awaits?: boolean): Steps<BulkResult> =>
    steps(sql, { filter, stamp, counts: new Map() }, event, inSteps, awaits)
  try {
    return await untilFree(sql, PATIENCE_MS, async (attempt) => {
      const count = await countIn(sql, filter)
      // An actor can repeat this at any rate, and each time the server may have to look at many revoked tokens.
      if (count === 'none') {
        // Read after the count: if the store is not fenced yet, the count was right.
        refuseWhileMoving(await readMove(sql, filter.prefix))
        return { count: 0, events: [] }
      }
      if (count === 'many') return await revokeMany(sql, begin)
      return await awaiting(sql, attempt, (awaits) => sql.engine.transaction(() => begin(undefined, awaits)))
    })
  } catch (error) {
    if (sql.quirks.faultOf(error) !== 'duplicate') throw error
    throw exists(event)
  }
}
