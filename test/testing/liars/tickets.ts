import { memoryStore } from 'latchkey/stores/memory'
import type { StoredTicket, TokenStore } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

/** A correct store with custom handling of tickets. */
function withTickets(tickets: Map<string, StoredTicket>, methods: Pick<TokenStore, 'takeTicket'> & Partial<TokenStore>): TokenStore {
  return {
    ...memoryStore(),
    saveTicket(ticket) {
      tickets.set(ticket.digest, ticket)
      return true
    },
    ...methods,
  }
}

export const ticketLiars: readonly Liar[] = [
  {
    name: 'reads a ticket first and removes it later',
    caughtBy: 'when many callers redeem one ticket concurrently, exactly one succeeds',
    create() {
      const tickets = new Map<string, StoredTicket>()
      return single(
        withTickets(tickets, {
          async takeTicket(_, digest) {
            const ticket = tickets.get(digest)
            await pause(1)
            tickets.delete(digest)
            return ticket
          },
        }),
      )
    },
  },
  {
    name: 'counts tickets first and saves another later',
    caughtBy: 'a token never has more live tickets than the limit, even if many are saved concurrently',
    create() {
      const tickets = new Map<string, StoredTicket>()
      return single(
        withTickets(tickets, {
          async saveTicket(ticket, { max, now }) {
            const live = [...tickets.values()].filter(({ tokenId, expiresAt }) => tokenId === ticket.tokenId && now < expiresAt)
            await pause(1)
            if (live.length >= max) return false
            tickets.set(ticket.digest, ticket)
            return true
          },
          takeTicket(_, digest) {
            const ticket = tickets.get(digest)
            tickets.delete(digest)
            return ticket
          },
        }),
      )
    },
  },
]
