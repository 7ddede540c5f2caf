import { CompiledQuery } from 'kysely'
import type { StoredToken } from '../../../../src/model/record.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { tokenToRow } from '../schema/token-row.js'

function* insert({ builder }: Sql, tokens: readonly StoredToken[]): Steps<void> {
  for (const piece of chunks(tokens)) yield* ask(builder.insertInto('tokens').values(piece.map(tokenToRow)))
}

/** Whether the ID of a token is derived from an idempotency key. Other IDs are random, so no other transaction inserts the same one. */
export const isKeyed = (token: StoredToken | undefined): token is StoredToken => token?.requestHash !== undefined

/**
 * Inserts tokens.
 *
 * A token whose ID is derived may wait, with a connection, for a host transaction that creates the same one. It waits only briefly, because the caller can
 * retry, and other callers need the connection.
 */
export function* insertTokens(sql: Sql, tokens: readonly StoredToken[]): Steps<void> {
  const wait = isKeyed(tokens[0]) ? sql.quirks.shortWait : undefined
  if (wait === undefined) return yield* insert(sql, tokens)
  yield CompiledQuery.raw(wait.begin)
  let failure: unknown
  try {
    yield* insert(sql, tokens)
  } catch (error) {
    failure = error ?? new Error('the insert failed')
  }
  if (failure === undefined || wait.ofSession) yield CompiledQuery.raw(wait.end)
  if (failure !== undefined) throw failure
}
