import { StoreUnavailableError } from '../errors.js'
import type { Verification, VerifyContext } from '../model/principal.js'
import { callOut, dueFrom, leftUntil } from '../store/deadline.js'
import type { StoredTicket } from '../store/port.js'
import { digestTicket, isTicket } from '../token/ticket.js'
import type { Context } from './context.js'
import { decideFor, refuseUnknown } from './verify.js'

/** How long a ticket is good. */
export const TICKET_MS = 30_000

/**
 * Spends a ticket: of all who present it, on any node, one gets what the token is good for now. One that is used up, has run out or never was is the same
 * to whoever presents it.
 *
 * Its token is read past every cache, so that a ticket never outlives it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide
 */
export async function redeem(context: Context, ticket: unknown, request: VerifyContext | undefined): Promise<Verification> {
  if (!isTicket(ticket)) return refuseUnknown(context)
  if (context.records.isThrottled(request?.ip)) {
    context.vitals.throttled += 1
    throw new StoreUnavailableError('too many tickets that do not exist are asked about from this address')
  }
  const { settings } = context
  const dueAt = dueFrom(settings)
  const taken = await take(context, ticket, dueAt)
  if (taken === undefined) {
    context.records.noteGuess(request?.ip)
    return refuseUnknown(context)
  }
  const left = taken.expiresAt - settings.clock()
  // More than there can be, even where the clocks of two nodes differ, is a corrupt instant.
  if (!(left > 0 && left <= 2 * TICKET_MS)) return refuseUnknown(context)
  const entry = await context.records.readAgain(taken.tokenId, leftUntil(dueAt, settings))
  return entry === undefined ? refuseUnknown(context) : decideFor(context, entry, request, dueAt)
}

async function take({ settings, store, report }: Context, ticket: string, dueAt: number): Promise<StoredTicket | undefined> {
  const { deadlineMs, prefix } = settings
  for (const digester of settings.digesters) {
    const leftMs = digester === settings.digesters[0] ? undefined : leftUntil(dueAt, settings)
    const taken = await callOut({ what: 'the store', where: 'store.takeTicket', deadlineMs, leftMs, report }, () =>
      store.takeTicket(prefix, digestTicket(digester, prefix, ticket)),
    )
    if (taken !== 'none') return taken
  }
  return undefined
}
