import { GrantDeniedError, InvalidInputError, StoreUnavailableError } from '../../errors.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import { callOut } from '../../store/deadline.js'
import type { Context } from '../../verify/context.js'
import { ownerOf } from '../../verify/owner-of.js'
import { intersectResources } from '../../verify/permissions.js'
import { checkGrant, type Kept, publicActor, type ReadActor, SYSTEM } from './actor.js'

/** The fields of a token that decide whether an actor may grant it. */
export type HandedOut = Pick<StoredToken, 'tenantId' | 'ownerId' | 'scopes' | 'resources' | 'inherit'>

/**
 * Refuses to let an actor grant more than it has, including through a token that inherits its owner's permissions.
 *
 * An owner may always create such a token for itself. Any other actor needs all the permissions that the owner currently has.
 *
 * @throws GrantDeniedError `grant_denied`, with the field
 * @throws StoreUnavailableError `store_unavailable`, when the owner's permissions cannot be determined
 */
export async function checkHandout(context: Context, actor: ReadActor, token: HandedOut, kept?: Kept): Promise<void> {
  const { catalogue } = context.settings
  const { tenantId, ownerId, scopes, resources, inherit } = token
  const wanted = { tenantId, ownerId, scopes, resources }
  if (inherit !== true) return checkGrant(catalogue, actor, wanted, kept)
  if (context.owners === undefined)
    throw new InvalidInputError('inherit', 'requires the owner option of latchkey(), a function that returns what an owner may do')
  if (ownerId === undefined) throw new InvalidInputError('inherit', 'requires an ownerId: the owner whose permissions the token carries')
  // A change that grants nothing new only requires the right to manage the token.
  if (kept?.reach === true) return checkGrant(catalogue, { ...actor, scopes: undefined }, wanted, kept)
  if (ownerId === actor.id) return checkGrant(catalogue, { ...actor, scopes: undefined, resources: undefined }, wanted, kept)
  if (actor.scopes === undefined && actor.resources === undefined) return checkGrant(catalogue, actor, wanted, kept)
  // A draft has no ID yet, so this actor's lookups of this owner share a budget, even for different tokens.
  const id = JSON.stringify([actor.id, ownerId, tenantId])
  const owned = await ownerOf(context, { id, ownerId, tenantId }, context.allowance?.leftMs)
  // Lookups are throttled only after the owner has repeatedly been found to be gone.
  if (owned === undefined || owned === null || owned === 'throttled')
    throw new GrantDeniedError('ownerId', 'this owner no longer has access')
  checkGrant(catalogue, actor, { ...wanted, scopes: owned.scopes.names, resources: intersectResources(resources, owned.resources) }, kept)
}

/**
 * Refuses an owner that the actor cannot name: requests with the token act as that owner.
 *
 * @throws GrantDeniedError `grant_denied`, with field `ownerId`
 * @throws StoreUnavailableError `store_unavailable`, when the callback throws, hangs or returns anything but a boolean
 */
export async function checkOwner(context: Context, actor: ReadActor, { ownerId, tenantId }: HandedOut): Promise<void> {
  const { mayOwn, deadlineMs } = context.settings
  if (mayOwn === undefined || ownerId === undefined || ownerId === actor.id || actor === SYSTEM) return
  const owner = ownFields(tenantId === undefined ? { ownerId } : { ownerId, tenantId })
  const allowed = await callOut(
    { what: 'the mayOwn callback', where: 'mayOwn', deadlineMs, leftMs: context.allowance?.leftMs, report: context.report },
    () => mayOwn(publicActor(actor), owner),
    (answer): boolean => {
      if (typeof answer === 'boolean') return answer
      throw new StoreUnavailableError('the mayOwn callback must return true or false')
    },
  )
  if (!allowed) throw new GrantDeniedError('ownerId', 'you cannot create a token for this owner')
}
