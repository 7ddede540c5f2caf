import { StoreUnavailableError } from '../errors.js'
import type { Verification, VerifyContext } from '../model/principal.js'
import { callOut, dueFrom, leftUntil } from '../store/deadline.js'
import type { StoredTicket } from '../store/port.js'
import { digestTicket, isTicket } from '../token/ticket.js'
import type { Context } from './context.js'
import { decideFor, refuseUnknown } from './verify.js'

/** How long a ticket is good. */
export const TICKET_MS = 30_000

/** Nodes whose clocks are behind may still take what has run out here; it is forgotten when none of them does. */
export const FORGET_AFTER_MS = 60_000

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
  try {
    const entry = await context.records.readAgain(taken.tokenId, leftUntil(dueAt, settings))
    return entry === undefined ? refuseUnknown(context) : await decideFor(context, entry, request, dueAt)
  } catch (error) {
    // 503 asks its holder to come again with it, and does not wait for that.
    void context.background.run(() => giveBack(context, taken))
    throw error
  }
}

/** Where this fails too, the ticket is lost: nobody was let in by it, and it is never good twice. */
async function giveBack({ settings, store }: Context, taken: StoredTicket): Promise<void> {
  const now = settings.clock()
  await store.saveTicket(taken, { max: Number.MAX_SAFE_INTEGER, now, forgetBefore: now - FORGET_AFTER_MS }).catch(() => undefined)
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
