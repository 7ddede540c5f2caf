import type { GuessingBudget } from '../cache/guessing.js'
import { StoreUnavailableError } from '../errors.js'
import type { Principal, Verification, VerifyContext } from '../model/principal.js'
import { endedWithFormat } from '../policy/imports.js'
import { readClock } from '../policy/instant.js'
import { dueFrom, leftUntil } from '../store/deadline.js'
import type { StoredTicket } from '../store/port.js'
import { readTicket } from '../token/ticket.js'
import type { Context } from './context.js'
import { decideFor, refuseUnknown } from './verify.js'

/** How long a ticket is valid. */
export const TICKET_MS = 30_000

/** How long an expired ticket is kept, because a node whose clock is behind may still accept it. */
export const FORGET_AFTER_MS = 60_000

/**
 * Redeems a ticket: of all callers that present it, on any node, one gets the current permissions of its token. Used, expired, and unknown tickets look
 * the same to the caller.
 *
 * The token is read from the store, bypassing every cache, so that a ticket never outlives its token.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide
 */
export async function redeem(context: Context, ticket: unknown, request: VerifyContext | undefined): Promise<Verification> {
  const { settings, store, turns } = context
  const { prefix, digesters } = settings
  const read = readTicket(digesters, prefix, ticket)
  if (read === undefined) return refuseUnknown(context)
  const { digest, peppered } = read
  const budget: Pick<GuessingBudget, 'spent' | 'spend'> = peppered ? context.usedTickets : context.forgedTickets
  const charged = peppered ? digest : request?.ip
  if (budget.spent(charged)) {
    context.vitals.throttled += 1
    throw new StoreUnavailableError('too many unknown or used tickets were sent')
  }
  // Checked before the ticket is taken. At an invalid time, the ticket would be used up and then refused as expired.
  readClock(settings.clock, 'the ticket cannot be redeemed')
  const dueAt = dueFrom(settings)
  const taken = await turns.run(request?.ip, 'store.takeTicket', leftUntil(dueAt, settings), () => store.takeTicket(prefix, digest))
  if (taken === 'none') {
    budget.spend(charged)
    return refuseUnknown(context)
  }
  try {
    const left = taken.expiresAt - readClock(settings.clock, 'the ticket cannot be redeemed')
    // Clocks that differ between nodes cannot explain such a long remaining life, so the instant is corrupt.
    if (!(left > 0 && left <= 2 * TICKET_MS)) return refuseUnknown(context)
    const entry = await context.records.readAgain(taken.tokenId, leftUntil(dueAt, settings))
    // Once a format has ended, anything derived from its tokens is refused too.
    const known = entry !== undefined && !endedWithFormat(settings.imports, entry.parts.importedFrom, settings.clock())
    if (!known) return refuseUnknown(context)
    const verification = await decideFor(context, entry, request, dueAt)
    if (verification.ok) redeemed.set(verification.principal, taken)
    return verification
  } catch (error) {
    giveBack(context, taken)
    throw error
  }
}

/** The tickets that principals were admitted with. */
const redeemed: WeakMap<Principal, StoredTicket> = new WeakMap()

/**
 * Makes a ticket valid again after its connection was refused because of a fault in the host. Works once for each principal, and only if the principal was
 * admitted with a ticket.
 */
export function giveBackTicket(context: Context, principal: Principal): void {
  const taken = redeemed.get(principal)
  if (taken !== undefined && redeemed.delete(principal)) giveBack(context, taken)
}

// A 503 tells the client to retry with the same ticket. The response does not wait for this write.
function giveBack(context: Context, taken: StoredTicket): void {
  void context.background.run(() => saveAgain(context, taken))
}

/** Saves a ticket again. If this fails, the ticket is lost. It admitted no caller, and it can never be used twice. */
async function saveAgain({ store }: Context, taken: StoredTicket): Promise<void> {
  // The instant at which the ticket was issued. The clock is not read, because a clock failure may be why the connection was refused.
  const now = taken.expiresAt - TICKET_MS
  await store.saveTicket(taken, { max: Number.MAX_SAFE_INTEGER, now, forgetBefore: now - FORGET_AFTER_MS }).catch(() => undefined)
}
