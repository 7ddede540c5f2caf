import * as z from 'zod'
import { GrantDeniedError } from '../errors.js'
import { readShape, text } from '../policy/shape.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Context } from '../verify/context.js'
import { checkTenant, type ReadActor } from './lib/actor.js'
import { commit, timeOfChange } from './lib/change.js'

type Given = { ownerId: string; tenantId?: string | undefined }

const shape: z.ZodType<Given> = z.strictObject({ ownerId: text(1, 200), tenantId: text(1, 200).optional() })

/**
 * Announces that an owner's permissions changed, in one tenant or in all. Every node then calls the `owner` option again.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, for an owner in tenants that the actor does not manage
 */
export async function ownerChanged(context: Context, actor: ReadActor, input: unknown): Promise<void> {
  const { ownerId, tenantId } = readShape(shape, input, 'ownerChanged()')
  if (actor.manages === 'own' && ownerId !== actor.id) throw new GrantDeniedError('ownerId', 'you can manage only your own tokens')
  checkTenant(actor, tenantId)
  try {
    await commit(context, {
      ownersChanged: [{ ownerId, ...(tenantId !== undefined && { tenantId }) }],
      events: [
        {
          id: generateId(platformRandom),
          at: timeOfChange(context),
          action: 'owner.changed',
          prefix: context.settings.prefix,
          actorId: actor.id,
          ownerId,
          ...(tenantId !== undefined && { tenantId }),
          ...(actor.ip !== undefined && { ip: actor.ip }),
        },
      ],
    })
  } finally {
    context.owners?.changed({ ownerId, ...(tenantId !== undefined && { tenantId }) })
  }
}
