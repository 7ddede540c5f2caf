import * as z from 'zod'
import type { Page } from '../model/record.js'
import { readShape, text } from '../policy/shape.js'
import { givingWay } from '../verify/build-context.js'
import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'
import { noteOutOfReach } from './lib/attempts.js'
import { distinctNames, givenNames, type Names, namesInTurn, namesOfOwn, pageOfNames } from './lib/names.js'
import { type NamesGiven, type ShapeOf, tenantsShape } from './tenants.js'

/** Input of `owners`. */
export type OwnersGiven = NamesGiven & { tenantId?: string | undefined }

/** Input schema of `owners`. */
export const ownersShape: ShapeOf<OwnersGiven> = z.strictObject({
  ...tenantsShape.shape,
  tenantId: text(1, 200).meta({ description: 'Only owners of tokens of this tenant.' }).optional(),
})

/**
 * Returns one page of the owners of tokens that the actor can see. For an actor limited to some tenants, owners are listed tenant by tenant, so an owner
 * with tokens in several tenants can appear again on a later page.
 *
 * @throws InvalidInputError `invalid_input`, including for a cursor from a different query
 */
export async function owners(context: Context, actor: ReadActor, input: unknown): Promise<Page<string>> {
  const { limit, cursor, ...asked } = readShape(ownersShape, input === undefined ? {} : input, 'owners()')
  const { tenantId } = asked
  const bound = ['owners', context.settings.prefix, asked, actor.tenants, actor.manages === 'own' ? actor.id : null]
  const reached = tenantId === undefined || actor.tenants === undefined || actor.tenants.includes(tenantId)
  if (!reached) noteOutOfReach(context, actor, 'owners', {})
  return await pageOfNames(reached ? namesFor(givingWay(context), actor, tenantId) : givenNames([]), { ...asked, limit, cursor }, bound)
}

function namesFor(context: Context, actor: ReadActor, tenantId: string | undefined): Names {
  if (actor.manages === 'own') return namesOfOwn(context, actor, 'ownerId', tenantId)
  const ofTenant = (one: string): Names => distinctNames(context, { field: 'ownerId', tenantId: one })
  if (tenantId !== undefined) return ofTenant(tenantId)
  return actor.tenants === undefined ? distinctNames(context, { field: 'ownerId' }) : namesInTurn(actor.tenants.map(ofTenant))
}
