import { headOf } from '../audit/seal.js'
import type { AuditHead } from '../model/audit.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { sealUp } from './lib/seals.js'

/**
 * Seals every event that is not sealed yet, and returns the newest head.
 *
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every event
 */
export async function sealAudit(context: Context, actor: ReadActor): Promise<AuditHead | undefined> {
  checkSeesAll(actor, 'sealing the audit log')
  const seal = await sealUp(context)
  return seal && headOf(seal)
}
