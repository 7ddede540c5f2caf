import { CompiledQuery } from 'kysely'
import type { StoredToken } from '../../../../src/model/record.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { tokenToRow } from '../schema/token-row.js'

/** Statements that shorten the wait for a lock to two seconds, and then restore it. The variable keeps a setting of the host. */
const LOCK_WAIT: { readonly [dialect: string]: { readonly shorten: string; readonly restore: string } | undefined } = {
  postgres: { shorten: 'set local lock_timeout = 2000', restore: 'set local lock_timeout to default' },
  mysql: {
    shorten: 'set @latchkey_wait = @@session.innodb_lock_wait_timeout, session innodb_lock_wait_timeout = 2',
    restore: 'set session innodb_lock_wait_timeout = @latchkey_wait',
  },
}

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
  const wait = isKeyed(tokens[0]) ? LOCK_WAIT[sql.quirks.dialect] : undefined
  if (wait === undefined) return yield* insert(sql, tokens)
  yield CompiledQuery.raw(wait.shorten)
  let failure: unknown
  try {
    yield* insert(sql, tokens)
  } catch (error) {
    failure = error ?? new Error('the insert failed')
  }
  // After an error, Postgres ends the transaction, and the setting with it.
  if (failure === undefined || sql.quirks.dialect === 'mysql') yield CompiledQuery.raw(wait.restore)
  if (failure !== undefined) throw failure
}
