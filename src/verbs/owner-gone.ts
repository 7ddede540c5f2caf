import * as z from 'zod'
import { GrantDeniedError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import type { OwnerForecast, OwnerGone } from '../model/revocation.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape, text } from '../policy/shape.js'
import type { TokenFilter } from '../store/port.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Context } from '../verify/context.js'
import { checkTenant, type ReadActor } from './lib/actor.js'
import { barrier } from './lib/barrier.js'
import { commit, timeOfChange } from './lib/change.js'
import { forecast } from './lib/forecast.js'
import { revokeMatching } from './lib/revoke-matching.js'
import { revocationFields } from './revoke.js'

type Given = {
  ownerId: string
  tenantId?: string | undefined
  dryRun?: boolean | undefined
  reason?: string | undefined
  waitForNodes?: boolean | undefined
}

const shape: z.ZodType<Given> = z.strictObject({
  ownerId: text(1, 200),
  tenantId: text(1, 200).optional(),
  dryRun: z.boolean({ error: 'must be true or false' }).optional(),
  ...revocationFields,
})

/**
 * Revokes every token of an owner who left, in one tenant or in all, with a single write. With `dryRun`, returns which tokens that would be.
 *
 * @throws InvalidInputError `invalid_input`, including when `tenantId` or `dryRun` is present but `undefined`
 * @throws GrantDeniedError `grant_denied`, for an actor that manages only its own tokens or does not manage this tenant
 */
export async function ownerGone(context: Context, actor: ReadActor, input: unknown): Promise<OwnerGone | OwnerForecast> {
  const given = readShape(shape, input, 'ownerGone()')
  refuseUndefined(input, ['tenantId'], 'to mean every tenant')
  refuseUndefined(input, ['dryRun'], 'to revoke the tokens')
  if (actor.manages === 'own')
    throw new GrantDeniedError('actor', 'revoking tokens that others created requires an actor who manages all tokens of the tenant')
  checkTenant(actor, given.tenantId)
  const { ownerId, tenantId } = given
  const filter: TokenFilter = { prefix: context.settings.prefix, ownerId, ...(tenantId !== undefined && { tenantIds: [tenantId] }) }
  if (given.dryRun === true) return await forecast(context, filter)
  const count = await end(context, actor, given, filter)
  if (given.waitForNodes === true) await barrier(context)
  return { count }
}

async function end(context: Context, actor: ReadActor, given: Given, filter: TokenFilter): Promise<number> {
  const { ownerId, tenantId, reason } = given
  const said: StoredEvent = {
    id: generateId(platformRandom),
    at: timeOfChange(context),
    action: 'owner.gone',
    prefix: context.settings.prefix,
    actorId: actor.id,
    ownerId,
    ...(tenantId !== undefined && { tenantId }),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    ...(reason !== undefined && { reason }),
  }
  const count = await revokeMatching(context, filter, 'owner_gone', said)
  // A bulk revocation that matches nothing writes no event. An owner's departure is still worth recording and announcing.
  if (count === 0) await tellAlone(context, said)
  return count
}

async function tellAlone(context: Context, event: StoredEvent): Promise<void> {
  const { ownerId = '', tenantId } = event
  const owner = { ownerId, ...(tenantId !== undefined && { tenantId }) }
  await commit(context, { ownersChanged: [owner], events: [{ ...event, count: 0 }] })
}
