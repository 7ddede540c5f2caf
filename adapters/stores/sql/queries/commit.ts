import { StoreUnavailableError } from '../../../../src/errors.js'
import { prefixOf } from '../../../../src/store/moving.js'
import type { Change, CommitResult } from '../../../../src/store/port.js'
import { chunks, type Sql } from '../context.js'
import { affected, ask, CapSignal, ConflictSignal, type Steps } from '../engine.js'
import { inTurn } from '../in-turn.js'
import { oneAtATimeByText } from '../one-at-a-time.js'
import { tokenToRow } from '../schema/token-row.js'
import { isExceeded } from './caps.js'
import { eraseFields } from './erasures.js'
import { insertTokens, isKeyed } from './insert-tokens.js'
import { type Line, ownerLine, tokenLine } from './lines.js'
import { refuseFenced, refuseFencedIn } from './moves.js'
import { removeTokens } from './remove-tokens.js'
import { awaiting, awaitTokens, lockTokens, untilFree } from './token-locks.js'
import { clearUsage } from './usage.js'
import { cutFeed, writeFeed } from './write-feed.js'

/** How long a change waits for tokens that another transaction has locked. By then its caller has timed out. */
const PATIENCE_MS = 5_000

/** Runs as soon as the feed is locked. */
function* enter(sql: Sql, change: Change): Steps<void> {
  const { updates = [] } = change
  yield* refuseFenced(sql, prefixOf(change))
  yield* lockTokens(
    sql,
    updates.map(({ record }) => record.id),
  )
}

/** Returns the token, if a change only revokes one token. Host transactions may follow one another so closely that it is never free. */
const revokedIn = ({ updates: [first, ...others] = [] }: Change): readonly string[] =>
  others.length === 0 && first?.record.revokedAt !== undefined ? [first.record.id] : []

function* steps(sql: Sql, change: Change, awaited: readonly string[]): Steps<CommitResult> {
  const { builder } = sql
  const { inserts = [], updates = [], removals = [], ownersChanged = [], erasures = [], caps = [], events } = change
  const lines: Line[] = []
  const touched = new Set<string>()
  for (const id of [...inserts.map((token) => token.id), ...updates.map((update) => update.record.id), ...removals]) touched.add(id)
  for (const id of touched) lines.push(tokenLine(id))
  for (const owner of ownersChanged) lines.push(ownerLine(owner))
  // Before the feed is locked, so that only this change waits if another transaction inserts the same ID, or holds rows that refer to a removed token.
  yield* insertTokens(sql, inserts)
  yield* removeTokens(sql, removals)
  yield* awaitTokens(sql, awaited)
  if (change.cutsFeed !== undefined) yield* cutFeed(sql, change.cutsFeed)
  // Because of the row lock, the order of the feed is the order of commits, for changes as well as moves.
  if (events.length + lines.length > 0) yield* writeFeed(sql, events, lines, () => enter(sql, change))
  // Erasures change no order, so other changes need not wait for them.
  else if (erasures.length > 0) yield* refuseFencedIn(sql, prefixOf(change))
  for (const { expectedVersion, record } of updates) {
    const { id, ...columns } = tokenToRow(record)
    const result = yield* ask(builder.updateTable('tokens').set(columns).where('id', '=', id).where('version', '=', expectedVersion))
    if (affected(result) !== 1) throw new ConflictSignal(id)
  }
  for (const erasure of erasures) yield* eraseFields(sql, erasure)
  // Under the feed row lock, so no other transaction adds a token before this one commits.
  for (const [at, cap] of caps.entries()) if (yield* isExceeded(sql, cap)) throw new CapSignal(at)
  return { ok: true }
}

/** Returns the first duplicate ID. */
export const firstTwice = (ids: readonly string[]): string | undefined => ids.find((id, at) => ids.indexOf(id) !== at)

/** Returns the first of these IDs that already exists. Called after the database reported a duplicate and rolled back. */
const existing = async (sql: Sql, change: Change): Promise<string | undefined> => {
  for (const [table, list] of [
    ['tokens', change.inserts ?? []],
    ['events', change.events],
  ] as const) {
    for (const piece of chunks(list.map((item) => item.id))) {
      if (piece.length === 0) continue
      const found = await sql.engine.run(sql.builder.selectFrom(table).select('id').where('id', 'in', piece).limit(1).compile())
      const id = found.rows[0]?.id
      if (id !== undefined) return id
    }
  }
  return undefined
}

/**
 * Removes the usage of removed tokens, including uses that a concurrent transaction counted. Not in the transaction of the change, which must not wait for
 * one that writes usage. If this fails, rows remain that are never read.
 */
const clearLate = async (sql: Sql, { removals = [] }: Change): Promise<void> => {
  if (removals.length === 0) return
  const clear = async (): Promise<void> => await sql.engine.transaction(() => clearUsage(sql, removals))
  await clear().catch(() => undefined)
}

/**
 * How many creations with an idempotency key may run at a time. Each may wait, with a connection, for a host transaction that creates the same token.
 * Changes run one after another anyway.
 */
const MOST_KEYED = 2

/** Creations with an idempotency key in one store: those with the same ID run one after another, and only a few run at a time in total. */
type Keyed = { readonly byId: ReturnType<typeof oneAtATimeByText>; readonly take: () => Promise<{ release(): void }> }

const keyed: WeakMap<Sql, Keyed> = new WeakMap()

const keyedIn = (sql: Sql): Keyed => {
  const known = keyed.get(sql) ?? { byId: oneAtATimeByText(), take: inTurn(MOST_KEYED, async () => ({ release: () => undefined })) }
  keyed.set(sql, known)
  return known
}

const applyKeyed = async (sql: Sql, change: Change, id: string): Promise<CommitResult> => {
  const { byId, take } = keyedIn(sql)
  const began = performance.now()
  return await byId(id, async () => {
    if (performance.now() - began > PATIENCE_MS)
      throw new StoreUnavailableError('an earlier creation of the same token is still waiting: retry later')
    return await apply(sql, change, async (attempt) => {
      const { release } = await take().catch(() => {
        throw new StoreUnavailableError('creations with an idempotency key are waiting for host transactions that stay open: retry later')
      })
      try {
        return await attempt()
      } finally {
        release()
      }
    })
  })
}

/** Applies a change in one transaction, completely or not at all. */
export const commit = async (sql: Sql, change: Change): Promise<CommitResult> => {
  const { inserts: [first] = [] } = change
  return await (isKeyed(first) ? applyKeyed(sql, change, first.id) : apply(sql, change))
}

type Attempt = () => CommitResult | Promise<CommitResult>

/** Applies a change. `inTurn` surrounds each attempt. Between attempts, the change waits for tokens that others have locked, and holds no turn. */
const apply = async (
  sql: Sql,
  change: Change,
  inTurn: (attempt: Attempt) => CommitResult | Promise<CommitResult> = (attempt) => attempt(),
): Promise<CommitResult> => {
  const twice = firstTwice((change.inserts ?? []).map((token) => token.id)) ?? firstTwice(change.events.map((event) => event.id))
  if (twice !== undefined) return { ok: false, conflict: twice }
  const revoked = revokedIn(change)
  for (let attempt = 1; ; attempt += 1) {
    try {
      const result = await untilFree(sql, PATIENCE_MS, (tried) =>
        inTurn(() =>
          awaiting(sql, revoked.length === 0 ? 0 : tried, (awaits) =>
            sql.engine.transaction(() => steps(sql, change, awaits ? revoked : [])),
          ),
        ),
      )
      await clearLate(sql, change)
      return result
    } catch (error) {
      if (error instanceof ConflictSignal) return { ok: false, conflict: error.conflict }
      if (error instanceof CapSignal) return { ok: false, exceeded: error.exceeded }
      const fault = sql.quirks.faultOf(error)
      const [removed] = change.removals ?? []
      if (fault === 'referenced' && removed !== undefined) return { ok: false, conflict: removed }
      if (fault !== 'duplicate') throw error
      const conflict = await existing(sql, change)
      if (conflict !== undefined) return { ok: false, conflict }
      // The conflicting row is gone again, so another attempt may succeed.
      if (attempt === 3) throw error
    }
  }
}
