import { InvalidInputError, LatchkeyError } from '../errors.js'
import { TICKET_PROTOCOL, type Ticket } from '../model/ticket.js'
import { generateSecret } from '../token/generate.js'
import { digestTicket } from '../token/ticket.js'
import type { Context } from '../verify/context.js'
import { TokenPrincipal } from '../verify/principal.js'
import { TICKET_MS } from '../verify/redeem.js'

/** Live tickets of one token. More at once than a service that asks for its users' needs. */
const MAX_TICKETS = 1000
/** Nodes whose clocks are behind may still take what has run out here; it is forgotten when none of them does. */
const FORGET_AFTER_MS = 60_000

/**
 * Makes a ticket of the token behind a principal. The store keeps its digest only.
 *
 * @throws InvalidInputError `invalid_input`, for a principal that this instance did not make from an API token
 * @throws LatchkeyError `rate_limited`, for a token that has too many tickets
 */
export async function createTicket(context: Context, principal: unknown): Promise<Ticket> {
  const { settings, store } = context
  const entry = TokenPrincipal.entryFor(principal, context.signalOf)
  if (entry === undefined) {
    throw new InvalidInputError(
      'principal',
      'must be the principal of an API token from authenticate(): sessions and signed tokens get no tickets',
    )
  }
  const now = settings.clock()
  if (!Number.isSafeInteger(now)) throw new InvalidInputError('clock', 'must answer whole milliseconds')
  const ticket = generateSecret(settings.random)
  const [digester] = settings.digesters
  const expiresAt = now + TICKET_MS
  const kept = await store.saveTicket(
    { prefix: settings.prefix, digest: digestTicket(digester, settings.prefix, ticket), tokenId: entry.id, expiresAt },
    { max: MAX_TICKETS, now, forgetBefore: now - FORGET_AFTER_MS },
  )
  if (!kept) {
    throw new LatchkeyError('rate_limited', 'this token has too many unused tickets', { retryAfterSeconds: TICKET_MS / 1000 })
  }
  return { ticket, protocol: TICKET_PROTOCOL + ticket, expiresAt: new Date(expiresAt) }
}
