import type { Budget } from '../cache/budget.js'
import type { Owned, Owners } from '../cache/owners.js'
import type { MaybePromise } from '../model/json.js'
import { isThenable } from '../store/deadline.js'
import type { Context } from './context.js'

/** After how many seconds a refused caller should retry. */
export const THROTTLED_SECONDS = 1

/**
 * The current permissions of a token's owner: `undefined` if no owner limits the token, `null` if the owner is gone, `throttled` if the owner
 * of this token was found to be gone too often.
 */
export type OwnerFound = Owned | null | undefined | 'throttled'

/** A token, for questions about its owner. `id` names the budget: the token's ID, or a name that combines the asking actor and the owner. */
type Holding = { readonly id: string; readonly ownerId?: string | undefined; readonly tenantId?: string | undefined }

/** Looks up the owner of a token. While the owner is gone, each `id` causes a bounded number of calls to the `owner` callback. */
export function ownerOf(context: Context, holding: Holding, leftMs: number | undefined): MaybePromise<OwnerFound> {
  const { owners } = context
  const { ownerId } = holding
  return owners === undefined || ownerId === undefined ? undefined : lookUp(context, owners, holding, ownerId, leftMs)
}

function lookUp(
  { ownerRefusals }: Context,
  owners: Owners,
  { id, tenantId }: Holding,
  ownerId: string,
  leftMs: number | undefined,
): MaybePromise<OwnerFound> {
  if (ownerRefusals.spent(id)) return 'throttled'
  const ask = (): MaybePromise<Owned | null> => owners.of(ownerId, tenantId, leftMs)
  return ownerRefusals.isCharged(id) ? askCharged(ownerRefusals, id, ask) : askUncharged(ownerRefusals, id, ask)
}

function askUncharged(refusals: Budget, id: string, ask: () => MaybePromise<Owned | null>): MaybePromise<Owned | null> {
  const noted = (owned: Owned | null): Owned | null => {
    if (owned === null) refusals.spend(id)
    return owned
  }
  const owned = ask()
  return isThenable(owned) ? owned.then(noted) : noted(owned)
}

// The owner was gone at the last lookup. The call is charged before it is answered; otherwise, slow answers would admit any number of calls at the same time.
function askCharged(refusals: Budget, id: string, ask: () => MaybePromise<Owned | null>): MaybePromise<Owned | null> {
  const noted = (owned: Owned | null): Owned | null => {
    if (owned !== null) refusals.forget(id)
    return owned
  }
  const failed = (error: unknown): never => {
    refusals.refund(id)
    throw error
  }
  refusals.spend(id)
  try {
    const owned = ask()
    return isThenable(owned) ? owned.then(noted, failed) : noted(owned)
  } catch (error) {
    return failed(error)
  }
}
