import { GrantDeniedError, InvalidInputError, StoreUnavailableError } from '../../errors.js'
import type { StoredToken } from '../../model/record.js'
import { callOut } from '../../store/deadline.js'
import type { Context } from '../../verify/context.js'
import { intersectResources } from '../../verify/permissions.js'
import { checkGrant, type Kept, publicActor, type ReadActor, SYSTEM } from './actor.js'

/** The fields of a token that decide whether it may be handed out. */
export type HandedOut = Pick<StoredToken, 'tenantId' | 'ownerId' | 'scopes' | 'resources' | 'inherit'>

/**
 * Refuses to let an actor hand out more than it has, also by a token that inherits what its owner may do.
 *
 * An owner may always hand such a token to itself; to others it takes everything that the owner holds at this moment.
 *
 * @throws GrantDeniedError `grant_denied`, with the field
 * @throws StoreUnavailableError `store_unavailable`, when the owner's permissions cannot be found out
 */
export async function checkHandout(context: Context, actor: ReadActor, token: HandedOut, kept?: Kept): Promise<void> {
  const { catalogue } = context.settings
  const { tenantId, ownerId, scopes, resources, inherit } = token
  const wanted = { tenantId, ownerId, scopes, resources }
  if (inherit !== true) return checkGrant(catalogue, actor, wanted, kept)
  if (context.owners === undefined) throw new InvalidInputError('inherit', 'requires the option owner, which says what owners may do')
  if (ownerId === undefined) throw new InvalidInputError('inherit', 'requires an ownerId: whose permissions the token carries')
  // A change that gives nothing anew needs no more than the right to manage the token.
  if (kept?.reach === true) return checkGrant(catalogue, { ...actor, scopes: undefined }, wanted, kept)
  if (ownerId === actor.id) return checkGrant(catalogue, { ...actor, scopes: undefined, resources: undefined }, wanted, kept)
  if (actor.scopes === undefined && actor.resources === undefined) return checkGrant(catalogue, actor, wanted, kept)
  const owned = await context.owners.of(ownerId, tenantId)
  if (owned === null) throw new GrantDeniedError('ownerId', 'this owner no longer has access')
  checkGrant(catalogue, actor, { ...wanted, scopes: owned.scopes.names, resources: intersectResources(resources, owned.resources) }, kept)
}

/**
 * Refuses an owner that the actor may not name: whoever calls with the token is taken for that owner.
 *
 * @throws GrantDeniedError `grant_denied`, field `ownerId`
 * @throws StoreUnavailableError `store_unavailable`, when the callback throws, hangs or answers anything but a boolean
 */
export async function checkOwner(context: Context, actor: ReadActor, { ownerId, tenantId }: HandedOut): Promise<void> {
  const { mayOwn, deadlineMs } = context.settings
  if (mayOwn === undefined || ownerId === undefined || ownerId === actor.id || actor === SYSTEM) return
  const owner = tenantId === undefined ? { ownerId } : { ownerId, tenantId }
  const allowed = await callOut(
    { what: 'the mayOwn callback', where: 'mayOwn', deadlineMs, report: context.report },
    () => mayOwn(publicActor(actor), owner),
    (answer): boolean => {
      if (typeof answer === 'boolean') return answer
      throw new StoreUnavailableError('the mayOwn callback must return true or false')
    },
  )
  if (!allowed) throw new GrantDeniedError('ownerId', 'you may not name this owner')
}
