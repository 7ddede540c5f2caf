import type { AuditEntry } from '../audit/check.js'
import { auditEntries } from '../audit/entries.js'
import { givingWay } from '../verify/build-context.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'

/**
 * Exports the whole audit log with its seals. Pages are read as the caller iterates.
 *
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every event
 */
export function exportAudit(context: Context, actor: ReadActor): AsyncIterable<AuditEntry> {
  checkSeesAll(actor, 'exporting the audit log')
  return auditEntries(givingWay(context).store, context.settings.prefix)
}
