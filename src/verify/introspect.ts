import { LatchkeyError, type RefusalCode } from '../errors.js'
import type { IsMine, Presenter } from '../model/presenter.js'
import type { Introspection } from '../model/principal.js'
import type { StoredToken } from '../model/record.js'
import { endWithOthers } from '../policy/imports.js'
import { refusalOf } from '../policy/status.js'
import type { Context } from './context.js'
import { findByToken } from './identify.js'
import { ownerOf, THROTTLED_SECONDS } from './owner-of.js'
import { intersectResources, scopesInForce } from './permissions.js'
import { noteReuse } from './reuse.js'
import { viewRecord } from './view-record.js'

/**
 * Returns whether a token is currently valid, and for what. Decides like `verify`, but reads the primary and has no client address. Does not count a use, but
 * records the reuse of a rotated token. A token that is not `mine` is reported as inactive, whoever owns it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide
 * @throws LatchkeyError `rate_limited`, when the token's owner is gone and was looked up too often
 */
export async function introspect(context: Context, token: unknown, from?: Presenter, mine: IsMine = () => true): Promise<Introspection> {
  const found = await findByToken(context, token, from)
  if (found === undefined) return { active: false }
  const { stored, beside } = found
  const { catalogue, clock } = context.settings
  // As in `decide`: a token that is refused anyway causes no call to the `owner` callback.
  if (refusedAt(context, stored, clock()) !== undefined || !mine(stored)) return { active: false }
  const owned = await ownerOf(context, stored, context.allowance?.leftMs)
  if (owned === 'throttled') {
    const details = { retryAfterSeconds: THROTTLED_SECONDS }
    throw new LatchkeyError('rate_limited', 'the owner of this token is gone, and was looked up too often', details)
  }
  // The token may have ended in the meantime.
  const now = clock()
  const code = refusedAt(context, stored, now)
  if (owned === null || code !== undefined) return { active: false }
  const granted = catalogue.resolve(stored.scopes)
  const scopes = scopesInForce(catalogue, { scopes: granted, inherit: stored.inherit === true }, owned)
  const resources = intersectResources(stored.resources, owned?.resources)
  const record = viewRecord(stored, now)
  endWithOthers(
    record,
    beside.map(({ expiresAt }) => expiresAt),
  )
  return { active: true, record, scopes: scopes.names, ...(resources !== undefined && { resources }) }
}

function refusedAt(context: Context, stored: StoredToken, now: number): RefusalCode | undefined {
  const code = refusalOf(stored, now)
  if (code !== undefined && stored.replacedById !== undefined) noteReuse(context, stored, { lifecycle: stored, code, now, ip: undefined })
  return code
}
