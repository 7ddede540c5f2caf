import { endsWith } from '../cache/ending-together.js'
import type { Entry } from '../cache/entry.js'
import { InvalidInputError, LatchkeyError, type RefusalCode } from '../errors.js'
import { TICKET_PROTOCOL, type Ticket } from '../model/ticket.js'
import { readClock } from '../policy/instant.js'
import { refusalOf } from '../policy/status.js'
import { mintTicket } from '../token/ticket.js'
import type { Context } from '../verify/context.js'
import { changeInTurn } from '../verify/in-turn.js'
import { TokenPrincipal } from '../verify/principal.js'
import { FORGET_AFTER_MS, TICKET_MS } from '../verify/redeem.js'
import { refusalOfEntry } from '../verify/standing.js'
import { turnsOf } from './lib/actor.js'

/** Maximum number of unused tickets per token, well above what a service needs for its users at any one time. */
const MAX_TICKETS = 1000

/**
 * Creates a ticket for the token behind a principal. The store keeps only the ticket's digest.
 *
 * @throws InvalidInputError `invalid_input`, for a principal that this instance did not make from an API token
 * @throws LatchkeyError `rate_limited`, when the token has too many unused tickets; `token_revoked` and similar codes, when the token is no longer valid
 */
export async function createTicket(context: Context, principal: unknown): Promise<Ticket> {
  const { settings } = context
  const entry = TokenPrincipal.entryFor(principal, context.signalOf)
  if (entry === undefined) {
    throw new InvalidInputError(
      'principal',
      'must be the principal of an API token from authenticate(): sessions and signed tokens get no tickets',
    )
  }
  // The principal may be old. A ticket for a token that is now refused would be useless.
  const present = await context.records.readAgain(entry.id, context.allowance?.leftMs)
  const now = readClock(settings.clock, 'no ticket can be created')
  const code =
    present === undefined ? 'token_unknown' : (refusalOfEntry(context, present, now) ?? (await refusalOfOthers(context, entry, now)))
  if (code !== undefined) throw new LatchkeyError(code, 'the token of this principal is no longer valid')
  const { ticket, digest } = mintTicket(settings.digesters[0], settings.prefix, settings.random)
  const expiresAt = now + TICKET_MS
  const saved = { prefix: settings.prefix, digest, tokenId: entry.id, expiresAt }
  const room = { max: MAX_TICKETS, now, forgetBefore: now - FORGET_AFTER_MS }
  const caller = turnsOf(holderOf(entry))
  const kept = await changeInTurn({ ...context, caller }, 'saveTicket', entry.tenantId, ({ store }) => store.saveTicket(saved, room))
  if (!kept) {
    throw new LatchkeyError('rate_limited', 'this token has too many unused tickets', { retryAfterSeconds: TICKET_MS / 1000 })
  }
  return { ticket, protocol: TICKET_PROTOCOL + ticket, expiresAt: new Date(expiresAt) }
}

function holderOf({ id, tenantId }: Entry): Parameters<typeof turnsOf>[0] {
  return { id: `token:${id}`, tenants: tenantId === undefined ? undefined : [tenantId] }
}

// The same secret may have been imported in another format. Records that are gone had already ended, so the credential was already refused because of them.
async function refusalOfOthers(context: Context, entry: Entry, now: number): Promise<RefusalCode | undefined> {
  for (const id of endsWith(entry)) {
    const other = await context.records.readAgain(id, context.allowance?.leftMs)
    const code = other === undefined ? undefined : refusalOf(other.lifecycle, now)
    if (code !== undefined) return code
  }
  return undefined
}
