import { sql as raw } from 'kysely'
import { isSameMove, type Move, refuseWhileMoving } from '../../../../src/store/moving.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { wide } from '../schema/wide.js'

type Moves = { readonly [prefix: string]: Move }

// Without a prototype, because a prefix may have the same name as a property of `Object.prototype`.
const parse = (detail: string | undefined): Moves => Object.assign(Object.create(null), JSON.parse(detail ?? '{}'))

const only = ({ builder }: Sql) => builder.selectFrom('moves').select('detail').where('id', '=', 1)

/** Reads the move of a prefix. */
export const readMove = async (sql: Sql, prefix: string): Promise<Move | undefined> => {
  const { engine } = sql
  const { rows } = await (engine.feed ?? engine.run)(only(sql).compile())
  return parse(rows[0]?.detail)[prefix]
}

/** Reads the moves, and locks them until this transaction ends. SQLite needs no lock, because it has one writer at a time. */
export function* lockMoves(sql: Sql, lock: 'shared' | 'own'): Steps<Moves> {
  const { dialect } = sql.quirks
  const query = only(sql)
  if (dialect === 'sqlite') return parse((yield* ask(query)).rows[0]?.detail)
  // MariaDB supports only the older syntax.
  const shared = dialect === 'mysql' ? query.modifyEnd(raw`lock in share mode`) : query.forShare()
  return parse((yield* ask(lock === 'own' ? query.forUpdate() : shared)).rows[0]?.detail)
}

/** Refuses a change to this prefix if a move fences it; without a prefix, if a move fences any prefix. */
const refuse = (moves: Moves, prefix: string | undefined): void => {
  for (const [of, move] of Object.entries(moves)) if (prefix === undefined || of === prefix) refuseWhileMoving(move)
}

/** Like `refuse`, under the feed row lock. Saving a move also takes this lock, so the move was either saved before this change or waits for it. */
export function* refuseFenced(sql: Sql, prefix: string | undefined): Steps<void> {
  const { rows } = yield* ask(only(sql))
  refuse(parse(rows[0]?.detail), prefix)
}

/** Like `refuse`, for a host transaction: saving a move waits until it ends. */
export function* refuseFencedIn(sql: Sql, prefix: string | undefined): Steps<void> {
  refuse(yield* lockMoves(sql, 'shared'), prefix)
}

function* steps(sql: Sql, prefix: string, expected: Move | undefined, next: Move | undefined): Steps<boolean> {
  const { builder, quirks, names } = sql
  // Before the feed is locked, because waiting for host transactions must not block other changes.
  const { [prefix]: stored, ...others } = yield* lockMoves(sql, 'own')
  if (!isSameMove(stored, expected)) return false
  const { head } = yield* quirks.bump(builder, 1)
  yield* ask(
    builder
      .updateTable('feed')
      .set({ floor: wide(head) })
      .where('id', '=', 1),
  )
  const detail = JSON.stringify({ ...others, ...(next !== undefined && { [prefix]: next }) })
  yield* ask(builder.updateTable('moves').set({ detail }).where('id', '=', 1))
  const announcement = quirks.announce?.(names)
  if (announcement !== undefined) yield announcement
  return true
}

/** Writes the state of a move, unless it has changed since it was read. */
export const saveMove = (sql: Sql, prefix: string, expected: Move | undefined, next: Move | undefined): Promise<boolean> =>
  Promise.resolve(sql.engine.transaction(() => steps(sql, prefix, expected, next)))
