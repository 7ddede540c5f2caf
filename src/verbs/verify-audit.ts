import { readAnchors } from '../audit/anchors.js'
import { AuditCheck } from '../audit/check.js'
import { auditEntries } from '../audit/entries.js'
import type { AuditReport } from '../model/audit.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'

/**
 * Verifies every event against the seals, and the seals against a head, a signature, or both.
 *
 * @throws InvalidInputError `invalid_input`, field `head` or `verifySignature`
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every event
 */
export async function verifyAudit(context: Context, actor: ReadActor, input: unknown): Promise<AuditReport> {
  checkSeesAll(actor, 'verifying the audit log')
  const anchors = readAnchors(input, 'verifyAudit()')
  const { prefix } = context.settings
  const check = new AuditCheck(anchors, prefix)
  for await (const entry of auditEntries(context.store, prefix)) await check.entry(entry)
  return check.end()
}
