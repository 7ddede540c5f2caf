import { CompiledQuery } from 'kysely'
import type { StoredToken } from '../../../../src/model/record.js'
import { prefixOf } from '../../../../src/store/moving.js'
import type { Addition, AdditionResult } from '../../../../src/store/port.js'
import { chunks, type Sql } from '../context.js'
import { ask, askRaw, ConflictSignal, type Steps } from '../engine.js'
import { type HostAccess, type HostTransaction, NotOpen, SAVEPOINT } from '../host-transaction.js'
import { oneAtATime } from '../one-at-a-time.js'
import { eventToUnplacedRow } from '../schema/event-row.js'
import { rowToToken, tokenToRow } from '../schema/token-row.js'
import { isExceeded } from './caps.js'
import { firstTwice } from './commit.js'
import { identityOf, isDatabase } from './identity.js'
import { refuseFencedIn } from './moves.js'

const refused = (why: string): AdditionResult => ({ ok: false, refused: why })

/** Writes the parts in the order that determines the answer, so that a duplicate ID is reported as a conflict, not as an exceeded cap. */
function* write(sql: Sql, addition: Addition): Steps<AdditionResult> {
  const { builder } = sql
  const { inserts = [], events, caps = [] } = addition
  for (const piece of chunks(events)) {
    const ids = piece.map(({ id }) => id)
    const { rows } = yield* ask(builder.selectFrom('events').select('id').where('id', 'in', ids).limit(1))
    if (rows[0] !== undefined) throw new ConflictSignal(rows[0].id)
    yield* ask(builder.insertInto('outbox').values(piece.map(eventToUnplacedRow)))
  }
  for (const piece of chunks(inserts)) yield* ask(builder.insertInto('tokens').values(piece.map(tokenToRow)))
  // Last, because by then SQLite reads the newest state.
  yield* refuseFencedIn(sql, prefixOf(addition))
  for (const [at, cap] of caps.entries()) if (yield* isExceeded(sql, cap)) return { ok: false, exceeded: at }
  return { ok: true }
}

/** Returns the conflict behind an error, as far as the transaction can see the conflicting row. */
function* conflictOf(
  error: unknown,
  find: (ids: readonly string[]) => CompiledQuery,
  { inserts = [], events }: Addition,
): Steps<AdditionResult> {
  const stored: StoredToken[] = []
  for (const piece of chunks(inserts.map(({ id }) => id))) {
    const { rows } = yield* askRaw(find(piece))
    stored.push(...(rows as Parameters<typeof rowToToken>[0][]).map(rowToToken))
  }
  const [first] = stored
  const named = error instanceof ConflictSignal ? error.conflict : undefined
  const conflict = first?.id ?? named ?? inserts[0]?.id ?? events[0]?.id ?? ''
  return { ok: false, conflict, ...(first !== undefined && { stored: first }) }
}

function* undo(): Steps<void> {
  yield CompiledQuery.raw(`rollback to savepoint ${SAVEPOINT}`)
  yield CompiledQuery.raw(`release savepoint ${SAVEPOINT}`)
}

function* steps(sql: Sql, host: HostAccess, identity: string | undefined, addition: Addition): Steps<AdditionResult> {
  try {
    yield* host.enter()
  } catch (error) {
    // An ended Kysely transaction throws its own error.
    if (error instanceof NotOpen || sql.quirks.faultOf(error) === 'unknown')
      return refused('must be an open transaction: begin it before create(), and end it afterward')
    throw error
  }
  let result: AdditionResult
  try {
    result = (yield* isDatabase(sql, identity))
      ? yield* checked(sql, host, addition)
      : refused("must be a transaction in the store's database")
  } catch (error) {
    const clash = error instanceof ConflictSignal || sql.quirks.faultOf(error) === 'duplicate'
    try {
      yield* undo()
    } catch {
      // The connection was lost, or the server rolled back the whole transaction. The first error says more.
      throw error
    }
    if (!clash) throw error
    return yield* conflictOf(error, sql.quirks.finder(sql.builder), addition)
  }
  if (result.ok) yield CompiledQuery.raw(`release savepoint ${SAVEPOINT}`)
  else yield* undo()
  return result
}

function* checked(sql: Sql, host: HostAccess, addition: Addition): Steps<AdditionResult> {
  yield* host.check()
  return yield* write(sql, addition)
}

/** Runs the units of work on each connection one after another, because two concurrent savepoints would undo each other. */
const inTurn = oneAtATime<object>()

const read = (host: HostAccess, given: object): HostTransaction | undefined => {
  try {
    return host.read(given)
  } catch {
    // A proxy or another object that cannot be inspected.
    return undefined
  }
}

/** Makes an addition inside the host's transaction, within a savepoint. */
export const commitIn = async (sql: Sql, host: HostAccess, given: object, addition: Addition): Promise<AdditionResult> => {
  const transaction = read(host, given)
  if (transaction === undefined) return refused(`must be a transaction of the driver that the ${sql.quirks.dialect} store works with`)
  const twice = firstTwice((addition.inserts ?? []).map(({ id }) => id)) ?? firstTwice(addition.events.map(({ id }) => id))
  if (twice !== undefined) return { ok: false, conflict: twice }
  const identity = await identityOf(sql)
  return await inTurn(transaction.connection, () => transaction.drive(steps(sql, host, identity, addition)))
}
