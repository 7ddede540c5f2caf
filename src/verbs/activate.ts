import { ConflictError } from '../errors.js'
import type { TokenRecord } from '../model/record.js'
import type { Context } from '../verify/context.js'
import { checkGrant, readActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { changeToken, withChanges } from './lib/change.js'

/**
 * Ends a deactivation. A token that is not inactive is answered as it is.
 *
 * What the token can do is handed out anew, so whoever could not create it cannot wake it either.
 *
 * @throws NotFoundError `not_found`
 * @throws GrantDeniedError `grant_denied`, when the token can do more than the actor may hand out
 * @throws ConflictError `conflict`, when the token is revoked or `version` is stale
 */
export async function activate(context: Context, id: unknown, by: unknown): Promise<TokenRecord> {
  const actor = readActor(by)
  return changeToken(context, id, actor, Reflect.get(Object(by), 'version'), (current, now) => {
    if (current.revokedAt !== undefined) throw new ConflictError('conflict', 'this token is revoked, which cannot be undone')
    if (current.deactivatedAt === undefined) return undefined
    const { tenantId, ownerId, scopes, resources } = current
    checkGrant(context.settings.catalogue, actor, { tenantId, ownerId, scopes, resources })
    const record = withChanges(current, now, { deactivatedAt: undefined, deactivatedBy: undefined })
    return { record, event: auditEvent('token.activated', actor, now, { before: current, after: record }) }
  })
}
