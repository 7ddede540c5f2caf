import { ConflictError } from '../../errors.js'
import type { StoredToken } from '../../model/record.js'
import { hasExpired } from '../../policy/status.js'
import type { Change, TokenCap } from '../../store/port.js'
import type { Context } from '../../verify/context.js'

/** Minimum number of tokens that may be in their overlap, even if the token limit is lower. */
const LEAST_OVERLAPS = 10
/**
 * How many predecessors of a token are checked. If all of those have ended, an earlier predecessor is assumed to be live. A removed predecessor also counts
 * as live.
 */
const MAX_STEPS = 20
/**
 * Time before its expiry from which a token counts again when an edit extends it. By the time the edit is committed, or by another node's clock, the token may
 * have expired, and a new token may have taken its place. Longer than the longest `deadline`, plus the same again for differences between clocks.
 */
const MARGIN_MS = 600_000

type Capped = Pick<StoredToken, 'prefix' | 'tenantId' | 'ownerId'>

/** Returns the caps of the `maxTokens` option that a token counts against. */
export function capsOn({ settings }: Context, { prefix, tenantId, ownerId }: Capped, now: number): readonly TokenCap[] {
  const { perOwner, perTenant } = settings.maxTokens
  const within = tenantId === undefined ? {} : { tenantId }
  return [
    ...(perOwner === undefined || ownerId === undefined ? [] : [{ prefix, now, max: perOwner, ownerId, ...within }]),
    ...(perTenant === undefined || tenantId === undefined ? [] : [{ prefix, now, max: perTenant, tenantId }]),
  ]
}

/**
 * Returns the caps on an edit: none, unless it extends a token that may have expired by the time the store commits it. An earlier `now` counts the same tokens
 * or more, so `now` may be earlier than the commit, and than the times at which other caps counted.
 */
export function capsOnEdit(context: Context, current: StoredToken, next: StoredToken, now: number): readonly TokenCap[] {
  const later = (next.expiresAt ?? Number.POSITIVE_INFINITY) > (current.expiresAt ?? Number.POSITIVE_INFINITY)
  return later && hasExpired(current, now + MARGIN_MS) ? capsOn(context, next, now) : []
}

/** Returns the caps on the tokens that a change adds. A successor replaces another token, so it is not counted here. */
export function capsOnNew(context: Context, { inserts = [] }: Change): readonly TokenCap[] {
  const now = context.settings.clock()
  const caps = inserts.filter(({ replacesId }) => replacesId === undefined).flatMap((token) => capsOn(context, token, now))
  return [...new Map(caps.map((cap) => [JSON.stringify(cap), cap])).values()]
}

/**
 * Returns the caps on the successor of `old` when `old` stays valid for an overlap. There are none if no predecessor of `old` is still live, so such a
 * rotation is never refused. Otherwise each limit is raised by its own size, or by `LEAST_OVERLAPS` if that is more, so repeated rotation stays bounded.
 */
export async function capsOnOverlap(context: Context, old: StoredToken, now: number): Promise<readonly TokenCap[]> {
  const caps = capsOn(context, old, now)
  if (caps.length === 0 || !(await hasLivingPredecessor(context, old, now))) return []
  return caps.map((cap) => ({ ...cap, max: cap.max + Math.max(cap.max, LEAST_OVERLAPS) }))
}

/** Returns the caps on a successor with another owner. For that owner it is a new token; for the tenant, it replaces a token. */
export function capsOnTransfer(context: Context, overlapping: readonly TokenCap[], successor: Capped, now: number): readonly TokenCap[] {
  const isOfOwner = ({ ownerId }: TokenCap): boolean => ownerId !== undefined
  return [...capsOn(context, successor, now).filter(isOfOwner), ...overlapping.filter((cap) => !isOfOwner(cap))]
}

async function hasLivingPredecessor({ store }: Context, token: StoredToken, now: number): Promise<boolean> {
  let current: StoredToken | undefined = token
  for (let steps = 0; steps < MAX_STEPS && current !== undefined; steps += 1) {
    if (current.replacesId === undefined) return false
    current = await store.findOne(current.replacesId)
    if (current === undefined || (current.revokedAt === undefined && !hasExpired(current, now))) return true
  }
  return true
}

/** Creates the error for the exceeded cap at this position. */
export function tokenLimitReached(caps: readonly TokenCap[], exceeded: number): ConflictError {
  const cap = caps[exceeded]
  const [field, whose] = cap?.ownerId === undefined ? ['tenantId', 'this tenant'] : ['ownerId', 'this owner']
  const message = `${field}: ${whose} has reached the limit on live tokens (${cap?.max}); revoke one first`
  return new ConflictError('token_limit_reached', message, { field })
}
