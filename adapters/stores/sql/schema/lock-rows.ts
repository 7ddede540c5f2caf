/**
 * The row of the feed's table that guards large bulk revocations: only one runs at a time, across all processes. Two revocations with common tokens could
 * otherwise deadlock, or keep finding tokens that the other has locked. The feed itself is row 1.
 */
export const BULK_ROW = 2

const TICKET_ROWS = 32
const FIRST_TICKET_ROW = 3

/**
 * Returns the row of the feed's table that guards the tickets of a token, which shares it with other tokens. A lock on the token itself would delay its
 * revocation.
 */
export function ticketRowOf(tokenId: string): number {
  let sum = 0
  for (let at = 0; at < tokenId.length; at += 1) sum += tokenId.charCodeAt(at)
  return FIRST_TICKET_ROW + (sum % TICKET_ROWS)
}

/** The initial values of the feed's table. */
export const FEED_VALUES: string = Array.from(
  { length: FIRST_TICKET_ROW - 1 + TICKET_ROWS },
  (_, at) => `(${at + 1}, 0, 0, '', 0, '')`,
).join(', ')
