import type { Owned } from '../cache/owners.js'
import type { MaybePromise } from '../model/json.js'
import { isThenable } from '../store/deadline.js'
import type { Context } from './context.js'

/** After how many seconds a refused caller should retry. */
export const THROTTLED_SECONDS = 1

/**
 * The current permissions of a token's owner: `undefined` if no owner limits the token, `null` if the owner is gone, `throttled` if that was the answer too often
 * for this token.
 */
export type OwnerFound = Owned | null | undefined | 'throttled'

/** A token, for questions about its owner. */
type Holding = { readonly id: string; readonly ownerId?: string | undefined; readonly tenantId?: string | undefined }

/** Looks up the owner of a token. A token whose owner is gone causes a bounded number of calls to the `owner` callback. */
export function ownerOf(context: Context, { id, ownerId, tenantId }: Holding, leftMs: number | undefined): MaybePromise<OwnerFound> {
  if (context.owners === undefined || ownerId === undefined) return undefined
  if (context.ownerRefusals.spent(id)) return 'throttled'
  const owned = context.owners.of(ownerId, tenantId, leftMs)
  return isThenable(owned) ? owned.then((late) => noted(context, id, late)) : noted(context, id, owned)
}

function noted(context: Context, id: string, owned: Owned | null): Owned | null {
  if (owned === null) context.ownerRefusals.spend(id)
  return owned
}
