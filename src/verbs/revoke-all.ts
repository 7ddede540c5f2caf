import * as z from 'zod'
import { InvalidInputError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import { readShape, text } from '../policy/shape.js'
import type { TokenFilter } from '../store/port.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'
import { noteOutOfReach } from './lib/attempts.js'
import { barrier } from './lib/barrier.js'
import { timeOfChange } from './lib/change.js'
import { revokeMatching } from './lib/revoke-matching.js'
import { revocationFields } from './revoke.js'

type Given = {
  tenantId?: string | undefined
  ownerId?: string | undefined
  all?: true | undefined
  reason?: string | undefined
  waitForNodes?: boolean | undefined
}

/** Input schema of `revokeAll`. */
export const revokeAllShape: z.ZodType<Given> = z
  .strictObject({
    tenantId: text(1, 200).meta({ description: 'Only tokens of this tenant.' }).optional(),
    ownerId: text(1, 200).meta({ description: 'Only tokens of this owner.' }).optional(),
    all: z
      .literal(true, { error: 'must be true, or omitted' })
      .meta({ description: 'Every token that you can see. Cannot be combined with the other fields.' })
      .optional(),
    ...revocationFields,
  })
  .meta({
    id: 'RevokeAll',
    description: 'Which tokens to revoke: those of a tenant, of an owner, of an owner within a tenant, or all that you can see.',
  })

/**
 * Revokes every token of a tenant, of an owner, of an owner within a tenant, or every token that the actor can see.
 *
 * @throws InvalidInputError `invalid_input`, when the input does not say which tokens are meant
 */
export async function revokeAll(context: Context, actor: ReadActor, input: unknown): Promise<{ readonly count: number }> {
  const given = readShape(revokeAllShape, input, 'revokeAll()')
  refuseVague(given)
  const filter = filterFor(context.settings.prefix, given, actor)
  if (filter === undefined) {
    noteOutOfReach(context, actor, 'revokeAll', {})
    return { count: 0 }
  }
  const event = eventOf(context.settings.prefix, given, actor, timeOfChange(context))
  const count = await revokeMatching(context, filter, 'bulk', event)
  if (given.waitForNodes === true) await barrier(context)
  return { count }
}

// A filter whose value was lost by mistake must not match everything.
function refuseVague(given: Given): void {
  for (const field of ['tenantId', 'ownerId', 'all'] as const) {
    if (Object.hasOwn(given, field) && given[field] === undefined) {
      throw new InvalidInputError(field, 'is undefined: omit it, or check where it comes from')
    }
  }
  if (given.tenantId === undefined && given.ownerId === undefined && given.all === undefined) {
    throw new InvalidInputError('revokeAll()', 'say which tokens: { tenantId }, { ownerId } or { all: true }', undefined, [
      { path: [], message: 'say which tokens: tenantId, ownerId, or all: true' },
    ])
  }
  if (given.all === true && (given.tenantId !== undefined || given.ownerId !== undefined)) {
    throw new InvalidInputError('all', 'cannot be combined with the other filters')
  }
}

// Returns `undefined` when this actor cannot see any matching token; the result is the same as when none exists.
function filterFor(prefix: string, given: Given, actor: ReadActor): TokenFilter | undefined {
  const { tenantId, ownerId } = given
  if (tenantId !== undefined && actor.tenants !== undefined && !actor.tenants.includes(tenantId)) return undefined
  const tenantIds = tenantId === undefined ? actor.tenants : [tenantId]
  return {
    prefix,
    ...(tenantIds !== undefined && { tenantIds }),
    ...(ownerId !== undefined && { ownerId }),
    ...(actor.manages === 'own' && { createdBy: actor.id }),
  }
}

function eventOf(prefix: string, given: Given, actor: ReadActor, at: number): StoredEvent {
  const { tenantId, ownerId, all, reason } = given
  return {
    id: generateId(platformRandom),
    at,
    action: 'tokens.revoked',
    prefix,
    actorId: actor.id,
    ...(tenantId !== undefined && { tenantId }),
    ...(ownerId !== undefined && { ownerId }),
    ...(actor.ip !== undefined && { ip: actor.ip }),
    ...(reason !== undefined && { reason }),
    details: {
      filter: { ...(tenantId !== undefined && { tenantId }), ...(ownerId !== undefined && { ownerId }), ...(all === true && { all }) },
      ...(actor.manages === 'own' && { createdBy: actor.id }),
    },
  }
}
