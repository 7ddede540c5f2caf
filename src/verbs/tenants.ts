import * as z from 'zod'
import type { Page } from '../model/record.js'
import { readShape, text } from '../policy/shape.js'
import { givingWay } from '../verify/build-context.js'
import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'
import { distinctNames, givenNames, namesOfOwn, pageOfNames } from './lib/names.js'
import { cursorShape, limitShape } from './list.js'

/** Input that every list of names accepts. */
export type NamesGiven = { search?: string | undefined; limit?: number | undefined; cursor?: string | undefined }

/** An object schema that other schemas extend. */
export type ShapeOf<Given> = z.ZodObject<{ [Name in keyof Given]-?: z.ZodType<Given[Name]> }, z.core.$strict>

/** Input schema of `tenants`. */
export const tenantsShape: ShapeOf<NamesGiven> = z.strictObject({
  search: text(0, 200).meta({ description: 'Part of the ID or the name. Letter case is ignored.' }).optional(),
  limit: limitShape,
  cursor: cursorShape,
})

/**
 * Returns one page of the tenants that the actor acts in. For an actor in all tenants, lists the tenants with tokens that it can see.
 *
 * @throws InvalidInputError `invalid_input`, including for a cursor from a different query
 */
export async function tenants(context: Context, actor: ReadActor, input: unknown): Promise<Page<string>> {
  const { limit, cursor, ...asked } = readShape(tenantsShape, input === undefined ? {} : input, 'tenants()')
  const bound = ['tenants', context.settings.prefix, asked, actor.tenants, actor.manages === 'own' ? actor.id : null]
  return await pageOfNames(namesFor(givingWay(context), actor), { ...asked, limit, cursor }, bound)
}

function namesFor(context: Context, actor: ReadActor) {
  if (actor.tenants !== undefined) return givenNames(actor.tenants)
  return actor.manages === 'own' ? namesOfOwn(context, actor, 'tenantId') : distinctNames(context, { field: 'tenantId' })
}
