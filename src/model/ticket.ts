/** A ticket, which proves once, within a few seconds, that its holder was authenticated with a token. */
export type Ticket = {
  /** The secret. Only this result contains it. */
  readonly ticket: string
  /** The ticket as a WebSocket subprotocol, for browsers to offer next to one of your own. */
  readonly protocol: string
  readonly expiresAt: Date
}

/** The beginning of the subprotocol that carries a ticket. */
export const TICKET_PROTOCOL = 'latchkey.ticket.'
