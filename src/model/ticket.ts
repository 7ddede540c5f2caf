/** A ticket: proves for some seconds, and once, that its holder was let in with a token. */
export type Ticket = {
  /** The secret. It stands in this answer and nowhere else. */
  readonly ticket: string
  /** The same as a WebSocket subprotocol, for browsers to offer beside one of your own. */
  readonly protocol: string
  readonly expiresAt: Date
}

/** The beginning of the subprotocol that carries a ticket. */
export const TICKET_PROTOCOL = 'latchkey.ticket.'
