import * as z from 'zod'
import { viewEvent } from '../activity/view-event.js'
import { InvalidInputError } from '../errors.js'
import { ACTIONS, type AuditAction, type AuditEvent } from '../model/event.js'
import type { Page } from '../model/record.js'
import { instantSchema } from '../policy/field-schema.js'
import { readShape, text } from '../policy/shape.js'
import { noneOf } from '../policy/suggest.js'
import { firstEvents } from '../store/first-events.js'
import type { BulkPart, EventQuery } from '../store/port.js'
import { readPage } from '../store/read-page.js'
import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'
import { noteOutOfReach } from './lib/attempts.js'
import { checkId, seenBy } from './lib/change.js'
import { readCursor, writeCursor } from './lib/cursor.js'
import { placeEvents } from './lib/waits.js'
import { cursorShape, limitShape } from './list.js'

const DEFAULT_LIMIT = 50

/** The event of a token's removal is among its newest. */
const MOST_PAGES = 2

type Given = {
  tokenId?: string | undefined
  tenantId?: string | undefined
  action?: AuditAction | AuditAction[] | undefined
  actorId?: string | undefined
  from?: number | undefined
  to?: number | undefined
  limit?: number | undefined
  order?: 'newest' | 'oldest' | undefined
  cursor?: string | undefined
  after?: string | undefined
}

const word = text(1, 200)
const action = z.enum(ACTIONS, { error: noneOf(ACTIONS) })

const page = {
  action: z
    .union([action, z.array(action)], { error: noneOf(ACTIONS, true) })
    .meta({ description: 'Only events with one of these actions.' })
    .optional(),
  limit: limitShape,
  order: z
    .enum(['newest', 'oldest'], { error: 'must be newest or oldest' })
    .meta({
      description:
        'Use oldest first to follow the audit log: a page with events always has a nextCursor, from which later events can be read.',
    })
    .optional(),
  cursor: cursorShape,
  after: cursorShape.meta({ description: 'With order=oldest, an alias of cursor.' }),
}

/** Input schema of `events`. */
export const eventsShape: z.ZodType<Given> = z.strictObject({
  tokenId: word.meta({ description: 'Only events about this token, which may no longer exist.' }).optional(),
  tenantId: word.meta({ description: 'Only events of this tenant.' }).optional(),
  actorId: word.meta({ description: 'Only events by this actor.' }).optional(),
  from: instantSchema.meta({ description: 'Only events at or after this instant.' }).optional(),
  to: instantSchema.meta({ description: 'Only events before this instant.' }).optional(),
  ...page,
})

/** Input schema of `events` for a single token. */
export const tokenEventsShape: z.ZodType<Given> = z.strictObject(page)

/**
 * Returns one page of the audit log, limited to what the actor can see.
 *
 * @throws InvalidInputError `invalid_input`, including for a cursor from a different query
 */
export async function events(context: Context, actor: ReadActor, input: unknown): Promise<Page<AuditEvent>> {
  const given = readShape(eventsShape, input === undefined ? {} : input, 'events()')
  if (given.from !== undefined && given.to !== undefined && !(given.from < given.to))
    throw new InvalidInputError('from', 'must be before "to"')
  const limit = given.limit ?? DEFAULT_LIMIT
  const { limit: _, cursor: place, after: behind, order = 'newest', ...asked } = given
  const cursor = readPlace(order, place, behind)
  const bound = [
    order === 'oldest' ? 'events, oldest' : 'events',
    context.settings.prefix,
    asked,
    actor.tenants,
    actor.manages === 'own' ? actor.id : null,
  ]
  const after = cursor === undefined ? undefined : readPosition(cursor, bound, behind === undefined ? 'cursor' : 'after')
  const query = queryFor(context.settings.prefix, given, actor)
  if (query === undefined) {
    noteOutOfReach(context, actor, 'events', {})
    return { items: [] }
  }
  const token = given.tokenId === undefined ? undefined : await tokenOf(context, actor, given.tokenId)
  const bulk = token && bulkOf(token)
  // Include events that a committed host transaction left in the outbox.
  await placeEvents(context)
  const { rows, more, end } = await readPage(
    limit,
    after,
    (wanted, from) =>
      context.store.events({
        ...query,
        limit: wanted,
        ...(bulk !== undefined && { bulk }),
        ...(order === 'oldest' && { order }),
        ...(from !== undefined && { after: from }),
      }),
    ({ seq }) => seq,
  )
  const last = rows.at(-1)
  if (given.tokenId !== undefined && token === undefined && last === undefined && after === undefined) {
    noteOutOfReach(context, actor, 'events', { id: given.tokenId })
  }
  return {
    items: rows.map(viewEvent),
    // A caller that follows the audit log continues after the last event, whether or not more events exist yet.
    ...((more || (order === 'oldest' && last !== undefined)) && end !== undefined && { nextCursor: writeCursor([end], bound) }),
  }
}

type TokenSeen = { readonly bulkId?: string | undefined; readonly tenantId?: string | undefined }

/** Returns a token that this actor can see or, if it was removed, the information about it in the audit log. */
async function tokenOf(context: Context, actor: ReadActor, tokenId: string): Promise<TokenSeen | undefined> {
  return (await seenBy(context, actor, tokenId)) ?? (await prunedAs(context, actor, tokenId))
}

/** Returns the bulk revocation that ended this token. It belongs to the token's trail, so every actor that can see the token can see it. */
function bulkOf({ bulkId, tenantId }: TokenSeen): BulkPart | undefined {
  return bulkId === undefined ? undefined : { bulkId, ...(tenantId !== undefined && { tenantId }) }
}

/** Returns the information about a removed token in its `token.pruned` event, if this actor can see it. */
async function prunedAs(context: Context, actor: ReadActor, tokenId: string): Promise<TokenSeen | undefined> {
  const query = queryFor(context.settings.prefix, { tokenId, action: 'token.pruned' }, actor)
  const [event] = query === undefined ? [] : await firstEvents(context.store, { ...query, limit: 1 }, MOST_PAGES)
  if (event === undefined) return undefined
  const bulkId = event.details?.bulkId
  return { tenantId: event.tenantId, ...(typeof bulkId === 'string' && { bulkId }) }
}

function readPlace(order: 'newest' | 'oldest', cursor: string | undefined, after: string | undefined): string | undefined {
  if (after === undefined) return cursor
  if (order !== 'oldest')
    throw new InvalidInputError('after', "requires order: 'oldest'; for newest first, pass the page's nextCursor as cursor")
  if (cursor !== undefined) throw new InvalidInputError('after', 'is an alias of cursor: pass only one of them')
  return after
}

function readPosition(cursor: string, bound: unknown, field: string): number {
  const seq = Number(readCursor(cursor, bound, 1, field)[0])
  if (!Number.isSafeInteger(seq)) throw new InvalidInputError(field, 'is not a cursor for this query: start again without one')
  return seq
}

// Returns `undefined` when no event that this actor can see can match.
function queryFor(prefix: string, given: Given, actor: ReadActor): Omit<EventQuery, 'limit' | 'after'> | undefined {
  const { tokenId, tenantId, actorId, from, to } = given
  if (tokenId !== undefined) checkId('tokenId', tokenId)
  if (tenantId !== undefined && actor.tenants !== undefined && !actor.tenants.includes(tenantId)) return undefined
  const tenantIds = tenantId === undefined ? actor.tenants : [tenantId]
  // A caller can repeat a value a thousand times in one URL.
  const actions = given.action === undefined ? undefined : [...new Set([given.action].flat())]
  return {
    prefix,
    ...(tokenId !== undefined && { tokenId }),
    ...(tenantIds !== undefined && { tenantIds }),
    ...(actions !== undefined && { actions }),
    ...(actorId !== undefined && { actorId }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(actor.manages === 'own' && { createdBy: actor.id }),
  }
}
