import type { StoredTicket, TicketRoom } from '../../../src/store/port.js'

/** The maximum number of expired tickets removed on each save. */
const BATCH = 100

/** The tickets that have not been redeemed yet. */
export type Tickets = {
  save(ticket: StoredTicket, room: TicketRoom): boolean
  take(prefix: string, digest: string): StoredTicket | undefined
}

export function createTickets(): Tickets {
  const byKey = new Map<string, StoredTicket>()
  const keyOf = (prefix: string, digest: string): string => JSON.stringify([prefix, digest])

  function forget(prefix: string, before: number): void {
    let left = BATCH
    for (const [key, ticket] of byKey) {
      if (left === 0) return
      if (ticket.prefix !== prefix || ticket.expiresAt >= before) continue
      byKey.delete(key)
      left -= 1
    }
  }

  return {
    save(ticket, { max, now, forgetBefore }) {
      forget(ticket.prefix, forgetBefore)
      const key = keyOf(ticket.prefix, ticket.digest)
      if (byKey.has(key)) throw new Error('memory store: this ticket already exists')
      let live = 0
      for (const other of byKey.values()) {
        if (other.prefix === ticket.prefix && other.tokenId === ticket.tokenId && now < other.expiresAt) live += 1
        if (live >= max) return false
      }
      byKey.set(key, Object.freeze({ ...ticket }))
      return true
    },

    take(prefix, digest) {
      const key = keyOf(prefix, digest)
      const ticket = byKey.get(key)
      byKey.delete(key)
      return ticket
    },
  }
}
