import type { StoredTicket, TicketRoom } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { listOf } from './encode.js'
import { scripts } from './scripts.js'

/** Keeps a ticket where its token has room for it. */
export async function saveTicket(connection: Connection, ticket: StoredTicket, { max, now, forgetBefore }: TicketRoom): Promise<boolean> {
  const { prefix, digest, tokenId, expiresAt } = ticket
  return (
    Number(await connection.run(scripts.saveTicket, [JSON.stringify(prefix), digest, tokenId, expiresAt, max, now, forgetBefore])) === 1
  )
}

/** Removes a ticket, and answers it to one who asks. */
export async function takeTicket(connection: Connection, prefix: string, digest: string): Promise<StoredTicket | undefined> {
  const [tokenId, expiresAt] = listOf(await connection.run(scripts.takeTicket, [JSON.stringify(prefix), digest]))
  return tokenId === undefined ? undefined : { prefix, digest, tokenId: String(tokenId), expiresAt: Number(expiresAt) }
}
