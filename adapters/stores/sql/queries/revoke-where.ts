import { ConflictError } from '../../../../src/errors.js'
import type { StoredEvent } from '../../../../src/model/event.js'
import type { RevocationStamp, TokenFilter } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { affected, ask, type Steps } from '../engine.js'
import { filterConditions } from './filter.js'
import { writeFeed } from './write-feed.js'

function* steps(sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Steps<number> {
  // Two places of the feed first, for the event and for the news that anything may have changed; the count is known only afterwards.
  const { seq } = yield* writeFeed(sql, [event], [{ kind: 'everything', changed_id: '' }])
  const result = yield* ask(
    sql.builder
      .updateTable('tokens')
      .set((eb) => ({
        revoked_at: stamp.revokedAt,
        revoked_by: stamp.revokedBy,
        revoked_reason: stamp.revokedReason ?? null,
        updated_at: stamp.revokedAt,
        version: eb('version', '+', 1),
      }))
      .where((eb) => eb.and([...filterConditions(eb, filter), eb('tokens.revoked_at', 'is', null)])),
  )
  const count = affected(result)
  yield* ask(
    sql.builder
      .updateTable('events')
      .set({ event_count: count })
      .where('seq', '=', seq - 1),
  )
  return count
}

/** Revokes in one statement whatever matches, with its event and its line in the feed in the same transaction. */
export const revokeWhere = async (sql: Sql, filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<number> => {
  try {
    return await sql.engine.transaction(() => steps(sql, filter, stamp, event))
  } catch (error) {
    if (sql.quirks.faultOf(error) !== 'duplicate') throw error
    throw new ConflictError('conflict', `an audit event with id ${JSON.stringify(event.id.slice(0, 64))} exists already`)
  }
}
