import { randomUUID } from 'node:crypto'
import type { StoredTicket, TicketRoom } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { flagOf, listOf } from './encode.js'
import { scripts } from './scripts.js'

/** Stores a ticket if its token is below its limit. */
export async function saveTicket(connection: Connection, ticket: StoredTicket, { max, now, forgetBefore }: TicketRoom): Promise<boolean> {
  const { prefix, digest, tokenId, expiresAt } = ticket
  return flagOf(await connection.run(scripts.saveTicket, [JSON.stringify(prefix), digest, tokenId, expiresAt, max, now, forgetBefore]))
}

/** Removes a ticket, and returns it to exactly one caller. */
export async function takeTicket(connection: Connection, prefix: string, digest: string): Promise<StoredTicket | undefined> {
  const [tokenId, expiresAt] = listOf(await connection.run(scripts.takeTicket, [JSON.stringify(prefix), digest, randomUUID()]))
  return tokenId === undefined ? undefined : { prefix, digest, tokenId: String(tokenId), expiresAt: Number(expiresAt) }
}
