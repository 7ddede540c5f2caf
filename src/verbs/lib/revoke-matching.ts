import type { StoredEvent } from '../../model/event.js'
import { ownFields } from '../../model/own-fields.js'
import type { RevocationStamp, TokenFilter } from '../../store/port.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { Context } from '../../verify/context.js'
import { revokeInTurn } from '../../verify/in-turn.js'

/** Returns what a revocation without a version writes to each token, with a new bulk ID. */
export function stampOf(event: StoredEvent, revokedCode: RevocationStamp['revokedCode']): RevocationStamp {
  const { at, actorId, reason } = ownFields(event)
  const bulkId = generateId(platformRandom)
  return { revokedAt: at, revokedBy: actorId, revokedCode, bulkId, ...(reason !== undefined && { revokedReason: reason }) }
}

/** The maximum number of batches of events that are placed before a revocation, which must not wait for them forever. */
const MOST_BATCHES = 100

/**
 * Assigns positions to the events of host transactions that wait for them. The revocation would otherwise do so for all of them while no other change can be
 * made. It still does that for those that are left, so a failure does not matter here.
 */
async function placeFirst({ outbox }: Context): Promise<void> {
  // The revocation itself fails if the store does.
  await outbox.placeBatches(MOST_BATCHES).catch(() => undefined)
}

/**
 * Revokes every matching token with a single write that includes this event, and returns how many. Makes sure that no later verification in this process
 * uses the previous state, regardless of the result of the write.
 *
 * @throws StoreUnavailableError `store_unavailable`; the tokens may or may not have been revoked
 */
export async function revokeMatching(
  context: Context,
  filter: TokenFilter,
  revokedCode: RevocationStamp['revokedCode'],
  event: StoredEvent,
): Promise<number> {
  const stamp = stampOf(event, revokedCode)
  let begun = false
  const result = await revokeInTurn(context, event.tenantId, filter, async () => {
    begun = true
    await placeFirst(context)
    return await context.records.bulkChanging(filter, () => context.store.revokeWhere(filter, stamp, { ...event, bulkId: stamp.bulkId }))
  }).catch((error: unknown) => {
    // The caller may have stopped waiting while the store is still busy with the revocation.
    if (begun) context.records.bulkChanged([filter])
    throw error
  })
  context.outbox.tell(result.placed ?? [])
  context.announce(result.events)
  return result.count
}
