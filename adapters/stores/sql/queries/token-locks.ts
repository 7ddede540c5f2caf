import { StoreUnavailableError } from '../../../../src/errors.js'
import { chunks, type Sql } from '../context.js'
import { ask, HeldSignal, type Steps } from '../engine.js'
import { pause } from '../retry.js'
import { askByKey } from './by-key.js'
import { waitFor } from './short-wait.js'

/** The part of a locked token's row that is read with the lock. */
export type LockedToken = { readonly id: string; readonly tenant_id: string | null }

/**
 * Locks these tokens, under the feed row lock. Returns those that exist; none on a server with one writer at a time, which needs no locks.
 *
 * It never waits for them. A transaction that waits while it holds the feed would block every other change, and could deadlock with a large bulk revocation,
 * which locks its tokens before the feed.
 */
export function* lockTokens(sql: Sql, ids: readonly string[]): Steps<readonly LockedToken[]> {
  const { builder, quirks } = sql
  const { isHeld } = quirks
  const found: LockedToken[] = []
  if (isHeld === undefined) return found
  for (const piece of chunks(ids)) {
    const tokens = builder.selectFrom('tokens').select(['id', 'tenant_id']).where('id', 'in', piece)
    try {
      found.push(...(yield* askByKey(sql, locked(sql, tokens).noWait())).rows)
    } catch (error) {
      throw isHeld(error) ? new HeldSignal() : error
    }
  }
  return found
}

/** Locks a row of the feed's table that serves as a lock. A server with one writer at a time needs none. */
export function* lockRow({ builder, quirks }: Sql, row: number): Steps<void> {
  if (quirks.isHeld === undefined) return
  const { rows } = yield* ask(builder.selectFrom('feed').select('id').where('id', '=', row).forUpdate())
  if (rows.length === 1) return
  throw new StoreUnavailableError(
    `${quirks.dialect} store: row ${row} of the feed table is missing: run the statements that \`npx latchkey migrate --print\` prints, which add it`,
  )
}

/** After this many attempts to lock its tokens without waiting, a revocation waits for them. */
const AVOIDED = 3
/** How many revocations of a store may wait for their tokens at a time. Each holds a connection. */
const MOST_AWAITING = 2

/** How many revocations of each store are waiting. */
const awaitingNow: WeakMap<Sql, number> = new WeakMap()

/** Runs an attempt of a revocation, and tells it whether to wait for its tokens before the feed is locked. */
export const awaiting = async <T>(sql: Sql, attempt: number, work: (awaits: boolean) => T | Promise<T>): Promise<T> => {
  const others = awaitingNow.get(sql) ?? 0
  if (attempt <= AVOIDED || others >= MOST_AWAITING) return await work(false)
  awaitingNow.set(sql, others + 1)
  try {
    return await work(true)
  } finally {
    awaitingNow.set(sql, (awaitingNow.get(sql) ?? 1) - 1)
  }
}

/** Locks tokens before the feed is locked, and waits for other transactions that have locked them. The server serves waiting transactions before later ones. */
export function* awaitTokens(sql: Sql, ids: readonly string[]): Steps<void> {
  if (ids.length === 0) return
  const tokens = sql.builder.selectFrom('tokens').select('id').where('id', 'in', ids).orderBy('id')
  yield* waitFor(sql, sql.quirks.longerWait, function* () {
    yield* askByKey(sql, locked(sql, tokens))
  })
}

/** Locks the rows of a query. On Postgres, rows of the host's tables can refer to tokens, and their locks conflict only with a removal. */
export const locked = <Q extends { forUpdate(): Q; forNoKeyUpdate(): Q }>({ quirks }: Sql, query: Q): Q =>
  quirks.dialect === 'postgres' ? query.forNoKeyUpdate() : query.forUpdate()

/**
 * Repeats work, for at most this long, while another transaction holds one of its tokens. Between attempts, it holds neither a lock nor a connection. The
 * work gets the number of the attempt.
 */
export const untilFree = async <T>({ quirks }: Sql, patienceMs: number, work: (attempt: number) => T | Promise<T>): Promise<T> => {
  let heldSince: number | undefined
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt)
    } catch (error) {
      if (!(error instanceof HeldSignal)) throw error
      heldSince ??= performance.now()
      if (performance.now() - heldSince > patienceMs) {
        throw new StoreUnavailableError(
          `${quirks.dialect} store: another transaction has locked one of the tokens: retry; if that does not help, find the transaction that stays open`,
        )
      }
      await pause(attempt)
    }
  }
}
