import * as z from 'zod'
import { InvalidInputError } from '../errors.js'
import type { StoredEvent } from '../model/event.js'
import type { ListedToken } from '../model/record.js'
import { instantSchema } from '../policy/field-schema.js'
import { readShape } from '../policy/shape.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { auditEvent } from './lib/audit.js'
import { commit, withChanges } from './lib/change.js'

const PAGE = 200
/** So far the caller's clock may be ahead. */
const CLOCKS_DIFFER_MS = 60_000

const shape: z.ZodType<{ before: number }> = z.strictObject({ before: instantSchema })

/**
 * Removes tokens that were revoked or expired before an instant, with their usage; their audit stays. Goes on page by page, as long as `goOn` says so, which upkeep gives.
 *
 * An expired token is revoked first: an edit that brings it back at the same moment either comes before that, and the token stays, or
 * after it, and is refused.
 *
 * @throws InvalidInputError `invalid_input`, field `before`, for an instant in the future, also by the clocks of the other nodes
 * @throws GrantDeniedError `grant_denied`, for an actor that does not see every token
 */
export async function prune(
  context: Context,
  actor: ReadActor,
  input: unknown,
  goOn?: () => Promise<boolean>,
): Promise<{ readonly count: number }> {
  checkSeesAll(actor, 'pruning requires every tenant and every token')
  const { before } = readShape(shape, input, 'prune()')
  if (before > context.settings.clock() + CLOCKS_DIFFER_MS) {
    throw new InvalidInputError('before', 'is in the future: only tokens that have ended are removed')
  }
  if (goOn === undefined) await refuseAhead(context, before)
  let count = 0
  let after: ListedToken | undefined
  do {
    const now = context.settings.clock()
    const page: readonly ListedToken[] = await context.store.list({
      prefix: context.settings.prefix,
      statuses: ['revoked', 'expired'],
      now,
      limit: PAGE,
      ...(after !== undefined && { after: { createdAt: after.createdAt, id: after.id } }),
    })
    const dead = page.filter((token) => diedBefore(token, before))
    if (dead.length > 0 && goOn !== undefined && !(await goOn())) break
    count += await remove(context, await end(context, dead, actor, now), actor, before)
    after = page.length === PAGE ? page.at(-1) : undefined
  } while (after !== undefined)
  return { count }
}

/** An instant that no other node has come to, by its own clock, is most likely a mistake of this one's. A lease that was released tells nothing. */
async function refuseAhead({ store, nodeId }: Context, before: number): Promise<void> {
  const own = nodeId()
  const others = (await store.leases(0)).filter((lease) => lease.nodeId !== own)
  if (others.length === 0 || others.some(({ expiresAt }) => before <= expiresAt + CLOCKS_DIFFER_MS)) return
  const latest = new Date(Math.max(...others.map(({ expiresAt }) => expiresAt))).toISOString()
  throw new InvalidInputError(
    'before',
    `lies later than the clocks of all other nodes, the last of which came to ${latest}: check the clock of this one`,
  )
}

function diedBefore(token: ListedToken, before: number): boolean {
  const diedAt = Math.min(token.revokedAt ?? Number.POSITIVE_INFINITY, token.expiresAt ?? Number.POSITIVE_INFINITY)
  return diedAt < before
}

/** Makes sure that none of them can come back; answers the ids of those that cannot. */
async function end(context: Context, dead: readonly ListedToken[], actor: ReadActor, now: number): Promise<readonly string[]> {
  const ended: string[] = []
  for (const token of dead) {
    if (token.revokedAt === undefined && !(await revokeExpired(context, token, actor, now))) continue
    ended.push(token.id)
  }
  return ended
}

async function revokeExpired(context: Context, token: ListedToken, actor: ReadActor, now: number): Promise<boolean> {
  const { lastUsedAt, lastUsedIp, ...stored } = token
  const after = withChanges(stored, now, { revokedAt: now, revokedBy: actor.id, revokedCode: 'pruned', rotationDueAt: undefined })
  const event = auditEvent('token.revoked', actor, now, { before: stored, after })
  const result = await commit(context, { updates: [{ expectedVersion: stored.version, record: after }], events: [event] })
  return result.ok
}

async function remove(context: Context, ids: readonly string[], actor: ReadActor, before: number): Promise<number> {
  if (ids.length === 0) return 0
  const event: StoredEvent = {
    id: generateId(platformRandom),
    at: context.settings.clock(),
    action: 'token.pruned',
    prefix: context.settings.prefix,
    actorId: actor.id,
    count: ids.length,
    details: { before: new Date(before).toISOString(), ids: [...ids] },
  }
  const result = await commit(context, { removals: ids, events: [event] })
  return result.ok ? ids.length : 0
}
