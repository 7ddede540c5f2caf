import type { IsMine, Presenter } from '../model/presenter.js'
import type { StoredToken, TokenRecord } from '../model/record.js'
import { equalDigests } from '../token/compare.js'
import type { Context } from './context.js'
import { type FoundStored, findStoredImported } from './find-imported.js'
import { findOne } from './find-one.js'
import { digestOf } from './verify.js'
import { viewRecord } from './view-record.js'

/**
 * Returns the record of the token with this text, regardless of its status; `undefined` if it is not one of ours.
 *
 * Reads the primary. Does not decide whether the token is accepted, and does not count a use. Used for introspection and leaked tokens.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function identify(context: Context, token: unknown, from?: Presenter, mine?: IsMine): Promise<TokenRecord | undefined> {
  const stored = await findByToken(context, token, from).then((found) => found && recordOf(found, mine))
  return stored === undefined ? undefined : viewRecord(stored, context.settings.clock())
}

/** Returns the record that a credential belongs to. If the same secret was imported in several formats, a record that is `mine` comes first. */
export function recordOf({ stored, beside }: FoundStored, mine: IsMine = () => true): StoredToken {
  // Records with a slow hash may have another secret, because they were not compared.
  return [stored, ...beside.filter(({ importedHash }) => importedHash === undefined)].find(mine) ?? stored
}

/** Reads the stored token that has this text, if the secret matches. */
export async function findByToken(context: Context, token: unknown, from: Presenter): Promise<FoundStored | undefined> {
  const parsed = context.settings.parse(token)
  if (parsed === undefined) return findStoredImported(context, token, from)
  const digest = digestOf(context, parsed.token, parsed.body)
  if (digest === undefined) return undefined
  const stored = await findOne(context, parsed.id, from)
  return stored !== undefined && equalDigests(stored.digest, digest) ? { stored, beside: [] } : undefined
}
