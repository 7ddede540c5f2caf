import type { StoredEvent } from '../../model/event.js'
import type { StoredToken } from '../../model/record.js'
import type { Context } from '../../verify/context.js'
import { changeInTurn } from '../../verify/in-turn.js'
import { stampOf } from './revoke-matching.js'

/**
 * Revokes one token regardless of its version, so that concurrent edits cannot prevent it. The token, as the revocation would leave it, and the event come
 * from a version that has been replaced. Makes sure that no later verification in this process uses the previous state, regardless of the result of the
 * write.
 *
 * @throws StoreUnavailableError `store_unavailable`; the token may or may not have been revoked
 */
export async function revokeOutright(context: Context, record: StoredToken, event: StoredEvent): Promise<void> {
  const { id, prefix, revokedCode = 'manual' } = record
  const stamp = stampOf(event, revokedCode)
  // This write changes nothing but the fields of the stamp.
  const { rotationDueAt: _, ...before } = event.before ?? {}
  const told = { ...event, before, bulkId: stamp.bulkId }
  try {
    const result = await changeInTurn(
      context,
      'revokeWhere',
      event.tenantId,
      ({ records, settings, store }) =>
        records.changing([id], () => store.revokeWhere({ prefix, ids: [id] }, stamp, told, settings.deadlineMs)),
      [record],
    )
    context.outbox.tell(result.placed ?? [])
    context.announce(result.events)
  } catch (error) {
    // The caller may have stopped waiting while the store is still busy with the revocation.
    context.records.changed(id)
    throw error
  }
}
