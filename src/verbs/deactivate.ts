import { ConflictError } from '../errors.js'
import type { StoredToken, TokenRecord } from '../model/record.js'
import type { Context } from '../verify/context.js'
import { type ReadActor, reachesBeyond, reachOf } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { changeToken, readVersion, type Step, withChanges } from './lib/change.js'

/**
 * Deactivates a token until it is activated again. An inactive token is returned unchanged, unless the actor has a wider reach than the actor that deactivated
 * it.
 *
 * @throws NotFoundError `not_found`
 * @throws ConflictError `conflict`, when the token is revoked or `version` is stale
 */
export async function deactivate(context: Context, actor: ReadActor, id: unknown, options: unknown): Promise<TokenRecord> {
  const version = readVersion(options)
  return changeToken(context, id, actor, version, 'stop', (current, now) => {
    if (current.revokedAt !== undefined) throw new ConflictError('conflict', 'this token is already revoked, which cannot be undone')
    return stop(current, actor, now)
  })
}

/** The step that deactivates a token. An actor with a wider reach takes over an existing deactivation, so the earlier actor can no longer lift it. */
export function stop(current: StoredToken, actor: ReadActor, now: number): Step {
  if (current.deactivatedAt !== undefined && !reachesBeyond(actor, current.deactivatedReach)) return undefined
  const record = withChanges(current, now, { deactivatedAt: now, deactivatedBy: actor.id, deactivatedReach: reachOf(actor) })
  return { record, event: auditEvent('token.deactivated', actor, now, { before: current, after: record }) }
}
