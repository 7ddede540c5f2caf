import * as z from 'zod'
import type { RevokedCode, TokenRecord } from '../model/record.js'
import { readShape, text } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import { readActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { barrier } from './lib/barrier.js'
import { changeToken, withChanges } from './lib/change.js'

const shape: z.ZodType<{ reason?: string | undefined; waitForNodes?: boolean | undefined }> = z.strictObject({
  reason: text(1, 500).optional(),
  waitForNodes: z.boolean({ error: 'must be true or false' }).optional(),
})

/**
 * Ends a token for good. A second time changes nothing: who revoked it first, when and why, stays.
 *
 * @throws NotFoundError `not_found`
 */
export async function revoke(
  context: Context,
  id: unknown,
  input: unknown,
  by: unknown,
  code: RevokedCode = 'manual',
): Promise<TokenRecord> {
  const actor = readActor(by)
  const { reason, waitForNodes } = readShape(shape, input ?? {}, 'revoke()')
  const record = await changeToken(context, id, actor, undefined, (current, now) => {
    if (current.revokedAt !== undefined) return undefined
    const after = withChanges(current, now, {
      revokedAt: now,
      revokedBy: actor.id,
      revokedCode: code,
      revokedReason: reason,
      rotationDueAt: undefined,
    })
    return { record: after, event: auditEvent('token.revoked', actor, now, { before: current, after, reason }) }
  })
  if (waitForNodes === true) await barrier(context)
  return record
}
