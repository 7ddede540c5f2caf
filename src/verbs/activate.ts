import { ConflictError, GrantDeniedError } from '../errors.js'
import type { TokenRecord } from '../model/record.js'
import type { Context } from '../verify/context.js'
import { type ReadActor, reachesAsFarAs } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { changeToken, readVersion, withChanges } from './lib/change.js'
import { checkHandout } from './lib/handout.js'

/**
 * Reactivates an inactive token. A token that is not inactive is returned unchanged.
 *
 * Activation grants the token's permissions again, so an actor that cannot grant them cannot activate the token. `mayOwn` is not called, because the owner
 * does not change.
 *
 * @throws NotFoundError `not_found`
 * @throws GrantDeniedError `grant_denied`, when the token has more permissions than the actor may grant, or was deactivated by an actor with a wider reach
 * @throws ConflictError `conflict`, when the token is revoked or `version` is stale
 */
export async function activate(context: Context, actor: ReadActor, id: unknown, options: unknown): Promise<TokenRecord> {
  const version = readVersion(options)
  return changeToken(context, id, actor, version, 'edit', async (current, now) => {
    if (current.revokedAt !== undefined) throw new ConflictError('conflict', 'this token is revoked, which cannot be undone')
    if (current.deactivatedAt === undefined) return undefined
    if (!reachesAsFarAs(actor, current.deactivatedReach)) {
      throw new GrantDeniedError('actor', 'this token was deactivated by someone with a wider reach than yours: ask them to activate it')
    }
    await checkHandout(context, actor, current)
    const record = withChanges(current, now, { deactivatedAt: undefined, deactivatedBy: undefined, deactivatedReach: undefined })
    return { record, event: auditEvent('token.activated', actor, now, { before: current, after: record }) }
  })
}
