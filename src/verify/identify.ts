import type { StoredToken, TokenRecord } from '../model/record.js'
import { equalDigests } from '../token/compare.js'
import type { Context } from './context.js'
import { findStoredImported } from './find-imported.js'
import { digestOf } from './verify.js'
import { viewRecord } from './view-record.js'

/**
 * Whose token is this? The record of a token whose text is given, whatever its status; `undefined` where it is none of ours.
 *
 * Reads the primary, decides nothing and counts nothing: for introspection, and for tokens that somebody found.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function identify(context: Context, token: unknown): Promise<TokenRecord | undefined> {
  const stored = await findByToken(context, token)
  return stored === undefined ? undefined : viewRecord(stored, context.settings.clock())
}

/** The stored token behind a text, its secret compared. */
export async function findByToken(context: Context, token: unknown): Promise<StoredToken | undefined> {
  const parsed = context.settings.parse(token)
  if (parsed === undefined) return findStoredImported(context, token)
  const digest = digestOf(context, parsed.token, parsed.body)
  if (digest === undefined) return undefined
  const stored = (await context.store.find([parsed.id])).get(parsed.id)
  return stored !== undefined && equalDigests(stored.digest, digest) ? stored : undefined
}
