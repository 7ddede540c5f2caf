import * as z from 'zod'
import type { TokenRecord } from '../model/record.js'
import { readShape, text } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { barrier } from './lib/barrier.js'
import { changeToken, withChanges } from './lib/change.js'

type Given = { reason?: string | undefined; waitForNodes?: boolean | undefined }

/** Input fields for the reason of a revocation and for how long to wait for other nodes. */
export const revocationFields: { readonly [Name in keyof Given]-?: z.ZodType<Given[Name]> } = {
  reason: text(1, 500).meta({ description: 'Stored with the token and in the audit log.' }).optional(),
  waitForNodes: z
    .boolean({ error: 'must be true or false' })
    .meta({ description: 'Respond only when every live node has applied the change.' })
    .optional(),
}

/** Input schema of `revoke`. */
export const revokeShape: z.ZodType<Given> = z.strictObject(revocationFields).meta({ id: 'RevokeToken' })

/**
 * Revokes a token permanently. Revoking it again changes nothing: the original actor, time and reason stay.
 *
 * @throws NotFoundError `not_found`
 */
export async function revoke(context: Context, actor: ReadActor, id: unknown, input: unknown): Promise<TokenRecord> {
  const { reason, waitForNodes } = readShape(revokeShape, input === undefined ? {} : input, 'revoke()')
  const record = await changeToken(context, id, actor, undefined, 'revocation', (current, now) => {
    if (current.revokedAt !== undefined) return undefined
    const after = withChanges(current, now, {
      revokedAt: now,
      revokedBy: actor.id,
      revokedCode: 'manual',
      revokedReason: reason,
      rotationDueAt: undefined,
    })
    return { record: after, event: auditEvent('token.revoked', actor, now, { before: current, after, reason }) }
  })
  if (waitForNodes === true) await barrier(context)
  return record
}
