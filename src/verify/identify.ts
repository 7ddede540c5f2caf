import type { Presenter } from '../model/presenter.js'
import type { TokenRecord } from '../model/record.js'
import { equalDigests } from '../token/compare.js'
import type { Context } from './context.js'
import { type FoundStored, findStoredImported } from './find-imported.js'
import { digestOf } from './verify.js'
import { viewRecord } from './view-record.js'

/**
 * Returns the record of the token with this text, whatever its status; `undefined` if it is not one of ours.
 *
 * Reads the primary, makes no decision, and counts no use. Used for introspection and leaked tokens.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function identify(context: Context, token: unknown, from?: Presenter): Promise<TokenRecord | undefined> {
  const found = await findByToken(context, token, from)
  return found === undefined ? undefined : viewRecord(found.stored, context.settings.clock())
}

/** Reads the stored token that has this text, if the secret matches. */
export async function findByToken(context: Context, token: unknown, from: Presenter): Promise<FoundStored | undefined> {
  const parsed = context.settings.parse(token)
  if (parsed === undefined) return findStoredImported(context, token, from)
  const digest = digestOf(context, parsed.token, parsed.body)
  if (digest === undefined) return undefined
  const stored = (await context.store.find([parsed.id])).get(parsed.id)
  return stored !== undefined && equalDigests(stored.digest, digest) ? { stored, beside: [] } : undefined
}
