import type { StoredTicket, TicketRoom } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { affected, ask, type Steps } from '../engine.js'
import { wide } from '../schema/wide.js'

/** Forgotten with each ticket that is saved. */
const BATCH = 100

function* forget({ builder }: Sql, prefix: string, before: number): Steps<void> {
  const old = builder.selectFrom('tickets').select('digest').where('prefix', '=', prefix).where('expires_at', '<', before)
  const { rows } = yield* ask(old.orderBy('expires_at').limit(BATCH))
  if (rows.length === 0) return
  const digests = rows.map(({ digest }) => digest).sort()
  yield* ask(builder.deleteFrom('tickets').where('prefix', '=', prefix).where('digest', 'in', digests))
}

function* save({ builder, quirks }: Sql, ticket: StoredTicket, { max, now }: TicketRoom): Steps<boolean> {
  const { prefix, digest, tokenId, expiresAt } = ticket
  const token = builder.selectFrom('tokens').select('id').where('id', '=', tokenId).where('prefix', '=', prefix)
  // The row lock makes those who save tickets of one token wait for each other. SQLite has one writer at a time.
  const found = yield* ask(quirks.dialect === 'sqlite' ? token : token.forUpdate())
  if (found.rows.length === 0) return false
  const some = builder.selectFrom('tickets').select('digest').where('token_id', '=', tokenId).where('expires_at', '>', now).limit(max)
  const { rows } = yield* ask(builder.selectFrom(some.as('some')).select((eb) => eb.fn.countAll<number | string | bigint>().as('found')))
  if (wide(rows[0]?.found ?? Number.NaN) >= max) return false
  yield* ask(builder.insertInto('tickets').values({ prefix, digest, token_id: tokenId, expires_at: expiresAt }))
  return true
}

/** Keeps a ticket where its token has room for it. */
export const saveTicket = async (sql: Sql, ticket: StoredTicket, room: TicketRoom): Promise<boolean> => {
  // In a transaction of its own: it takes locks of many tokens' tickets, and no other with them.
  await sql.engine.transaction(() => forget(sql, ticket.prefix, room.forgetBefore))
  return await sql.engine.transaction(() => save(sql, ticket, room))
}

function* take({ builder }: Sql, prefix: string, digest: string): Steps<StoredTicket | undefined> {
  const { rows } = yield* ask(builder.selectFrom('tickets').selectAll().where('prefix', '=', prefix).where('digest', '=', digest))
  const [row] = rows
  if (row === undefined) return undefined
  // Who removes it has it: the row never changes, and another who removes it at the same time finds none.
  const removed = yield* ask(builder.deleteFrom('tickets').where('prefix', '=', prefix).where('digest', '=', digest))
  return affected(removed) === 1 ? { prefix, digest: row.digest, tokenId: row.token_id, expiresAt: wide(row.expires_at) } : undefined
}

/** Removes a ticket, and answers it to one who asks. */
export const takeTicket = async (sql: Sql, prefix: string, digest: string): Promise<StoredTicket | undefined> =>
  await sql.engine.transaction(() => take(sql, prefix, digest))
