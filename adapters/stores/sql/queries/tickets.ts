import type { StoredTicket, TicketRoom } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { affected, ask, type Steps } from '../engine.js'
import { ticketRowOf } from '../schema/lock-rows.js'
import { wide } from '../schema/wide.js'
import { lockRow } from './token-locks.js'

/** The maximum number of old tickets removed with each saved ticket. */
const BATCH = 100

/** Removes tickets, and returns how many existed. Uses a separate transaction, because it locks tickets of many tokens and must hold no other locks. */
const remove = async ({ builder, engine }: Sql, prefix: string, digests: readonly string[]): Promise<number> =>
  await engine.transaction(function* (): Steps<number> {
    return affected(yield* ask(builder.deleteFrom('tickets').where('prefix', '=', prefix).where('digest', 'in', digests)))
  })

/** Removes old tickets. Checks without a lock first, because there is usually nothing to do. */
const forget = async (sql: Sql, prefix: string, before: number): Promise<void> => {
  const old = sql.builder.selectFrom('tickets').select('digest').where('prefix', '=', prefix).where('expires_at', '<', before)
  const { rows } = await sql.engine.run(old.orderBy('expires_at').limit(BATCH).compile())
  if (rows.length > 0) await remove(sql, prefix, rows.map(({ digest }) => digest).sort())
}

function* save(sql: Sql, ticket: StoredTicket, { max, now }: TicketRoom): Steps<boolean> {
  const { builder } = sql
  const { prefix, digest, tokenId, expiresAt } = ticket
  // Serializes the saves for one token.
  yield* lockRow(sql, ticketRowOf(tokenId))
  const token = builder.selectFrom('tokens').select('id').where('id', '=', tokenId).where('prefix', '=', prefix)
  if ((yield* ask(token)).rows.length === 0) return false
  const some = builder.selectFrom('tickets').select('digest').where('token_id', '=', tokenId).where('expires_at', '>', now).limit(max)
  const { rows } = yield* ask(builder.selectFrom(some.as('some')).select((eb) => eb.fn.countAll<number | string | bigint>().as('found')))
  if (wide(rows[0]?.found ?? Number.NaN) >= max) return false
  yield* ask(builder.insertInto('tickets').values({ prefix, digest, token_id: tokenId, expires_at: expiresAt }))
  return true
}

/** Stores a ticket if its token is below its limit. */
export const saveTicket = async (sql: Sql, ticket: StoredTicket, room: TicketRoom): Promise<boolean> => {
  await forget(sql, ticket.prefix, room.forgetBefore)
  return await sql.engine.transaction(() => save(sql, ticket, room))
}

/** Removes a ticket, and returns it to exactly one caller. A guessed ticket takes no lock, because it is not found. */
export const takeTicket = async (sql: Sql, prefix: string, digest: string): Promise<StoredTicket | undefined> => {
  const asked = sql.builder.selectFrom('tickets').selectAll().where('prefix', '=', prefix).where('digest', '=', digest)
  const [row] = (await sql.engine.run(asked.compile())).rows
  if (row === undefined) return undefined
  // The caller that removed the row gets the ticket. Rows never change, and a concurrent removal finds none.
  const removed = await remove(sql, prefix, [digest])
  return removed === 1 ? { prefix, digest: row.digest, tokenId: row.token_id, expiresAt: wide(row.expires_at) } : undefined
}
