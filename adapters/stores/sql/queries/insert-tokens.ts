import type { StoredToken } from '../../../../src/model/record.js'
import { chunks, type Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import { tokenToRow } from '../schema/token-row.js'
import { waitBriefly } from './short-wait.js'

function* insert({ builder }: Sql, tokens: readonly StoredToken[]): Steps<void> {
  for (const piece of chunks(tokens)) yield* ask(builder.insertInto('tokens').values(piece.map(tokenToRow)))
}

/** Whether the ID of a token is derived from an idempotency key. Other IDs are random, so no other transaction inserts the same one. */
export const isKeyed = (token: StoredToken | undefined): token is StoredToken => token?.requestHash !== undefined

/** Inserts tokens. A token whose ID is derived may wait for a host transaction that creates the same one. */
export function* insertTokens(sql: Sql, tokens: readonly StoredToken[]): Steps<void> {
  if (isKeyed(tokens[0])) yield* waitBriefly(sql, () => insert(sql, tokens))
  else yield* insert(sql, tokens)
}
