import type { StoredEvent } from '../../model/event.js'
import type { RevocationStamp, TokenFilter } from '../../store/port.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { Context } from '../../verify/context.js'
import { revokeInTurn } from '../../verify/in-turn.js'
import { placeEvents } from './waits.js'

/** Returns what a revocation without a version writes to each token, with a new bulk ID. */
export function stampOf({ at, actorId, reason }: StoredEvent, revokedCode: RevocationStamp['revokedCode']): RevocationStamp {
  const bulkId = generateId(platformRandom)
  return { revokedAt: at, revokedBy: actorId, revokedCode, bulkId, ...(reason !== undefined && { revokedReason: reason }) }
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
  // Otherwise, the revocation would place these events, however many there are, while no other change can be made.
  await placeEvents(context)
  const stamp = stampOf(event, revokedCode)
  let begun = false
  const result = await revokeInTurn(context, event.tenantId, filter, async () => {
    begun = true
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
