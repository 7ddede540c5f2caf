import type { StoredEvent } from '../../../model/event.js'
import type { Move } from '../../../store/moving.js'
import type { EventErasure } from '../../../store/port.js'
import { ensure, ensureEqual, isFenced } from '../../assert.js'
import { batch, bulkEvent, bulkStamp, event, inserted, list, newPrefix, readFeed, START } from '../build.js'
import type { Stage, StoreCases } from '../types.js'

const SALT = '0123456789abcdef0123456789abcdef'

/** Returns an event after its actor and its creator were erased. */
function erasedOf(stored: StoredEvent): StoredEvent {
  const { salt: _, createdBy: __, ...rest } = stored
  const commitments = { ...stored.erased?.commitments, actorId: 'a'.repeat(64), 'after.näme': 'b'.repeat(64) }
  return { ...rest, actorId: 'erased', after: {}, erased: { commitments, salts: { reason: 'c'.repeat(64) } } }
}

async function eventsOf(stage: Stage, more = {}): Promise<readonly StoredEvent[]> {
  return await stage.second.events({ prefix: stage.prefix, order: 'oldest', limit: 1000, ...more })
}

/** Returns the erasure of an event, based on its currently stored state. */
async function erasureOf(stage: Stage, id: string): Promise<EventErasure> {
  const [before] = await eventsOf(stage, { id })
  if (before === undefined) throw new Error('the event to erase does not exist')
  return { before, after: erasedOf(before) }
}

export const erasureCases: StoreCases = {
  title: 'erasures',
  cases: [
    {
      title: 'the remaining fields of an erased event keep its position, and filters use them',
      async run(stage) {
        const said = { tenantId: 't', tokenId: 'x'.repeat(16), createdBy: 'bob', actorId: 'bob', salt: SALT, after: { näme: 'Bob ä😀' } }
        const events = [event(stage.prefix), event(stage.prefix, { ...said, reason: 'why' }), event(stage.prefix, { createdBy: 'bob' })]
        await stage.store.commit({ events })
        const [first, second, third] = await eventsOf(stage)
        const erasure = await erasureOf(stage, events[1]?.id ?? '')
        const told = event(stage.prefix, { action: 'owner.erased' })
        ensureEqual(await stage.store.commit({ erasures: [erasure], events: [told] }), { ok: true }, 'commit() must accept an erasure')
        const rows = await eventsOf(stage)
        ensureEqual(
          rows.slice(0, 3),
          [first, { ...erasure.after, seq: Reflect.get(second ?? {}, 'seq') }, third],
          'an erased event must keep its position, and other events must not change',
        )
        ensureEqual(rows[3]?.id, told.id, 'an event of the same commit must come after the existing events')
        const ids = async (more: object): Promise<string[]> => (await eventsOf(stage, more)).map(({ id }) => id)
        ensureEqual(await ids({ createdBy: 'bob' }), [events[2]?.id], 'events() must not find an event by an erased field')
        ensureEqual(await ids({ tenantIds: ['t'] }), [events[1]?.id], 'events() must still find an erased event by its tenant')
        ensureEqual(await ids({ tokenId: said.tokenId }), [events[1]?.id], 'events() must still find an erased event by its token')
      },
    },
    {
      title: 'erasing an event that was removed or erased further in the meantime is a conflict and changes nothing',
      async run(stage) {
        const [one, other] = [event(stage.prefix, { salt: SALT }), event(stage.prefix, { salt: SALT })]
        const stranger = event(newPrefix(), { salt: SALT })
        await stage.store.commit({ events: [one, other, stranger] })
        const [first, second] = [await erasureOf(stage, one.id), await erasureOf(stage, other.id)]
        ensureEqual(
          await stage.store.commit({ erasures: [first], events: [] }),
          { ok: true },
          'commit() must accept the first erasure of an event',
        )
        const again = { before: first.after, after: { ...first.after, after: { more: 1 } } }
        const gone = { before: event(stage.prefix), after: event(stage.prefix) }
        const foreign = { before: { ...stranger, prefix: stage.prefix }, after: erasedOf({ ...stranger, prefix: stage.prefix }) }
        const cut = { before: { ...first.after, erased: { commitments: {}, salts: {} } }, after: first.after }
        const before = await eventsOf(stage)
        for (const bad of [first, gone, foreign, cut]) {
          const result = await stage.second.commit({ erasures: [second, bad], events: [event(stage.prefix)] })
          ensureEqual(
            result,
            { ok: false, conflict: bad.before.id },
            'commit() must refuse an erasure whose event is missing or has changed, and report its ID as the conflict',
          )
          ensureEqual(await eventsOf(stage), before, 'a refused erasure must leave every event unchanged')
        }
        ensureEqual(
          await stage.store.commit({ erasures: [again], events: [] }),
          { ok: true },
          'commit() must accept a further erasure based on the current event',
        )
      },
    },
    {
      title: 'when many callers erase fields of one event concurrently, exactly one succeeds',
      async run(stage) {
        const one = event(stage.prefix, { salt: SALT })
        await stage.store.commit({ events: [one] })
        const erasure = await erasureOf(stage, one.id)
        const results = await Promise.all(
          Array.from(
            { length: 8 },
            async (_, turn) => await stage.handle(turn).commit({ erasures: [erasure], events: [event(stage.prefix)] }),
          ),
        )
        ensureEqual(results.filter(({ ok }) => ok).length, 1, 'exactly one of 8 concurrent erasures must succeed')
        ensureEqual((await eventsOf(stage)).length, 2, 'only the successful erasure must write its event')
      },
    },
    {
      title: 'after the feed is trimmed, readers that missed entries must assume that everything changed, and other readers continue',
      async run(stage) {
        const made = await inserted(stage, { ownerId: 'bob' })
        const start = (await stage.store.changes(undefined, 10)).cursor
        await stage.store.commit({ ownersChanged: [{ ownerId: 'bob' }], events: [] })
        const stamp = bulkStamp()
        await stage.second.revokeWhere({ prefix: stage.prefix, ownerId: 'bob' }, stamp, bulkEvent(stage.prefix, stamp))
        const end = (await stage.second.changes(undefined, 10)).cursor
        await stage.store.commit({ ownersChanged: [{ ownerId: 'ann' }], events: [] })
        ensureEqual(
          await stage.store.commit({ cutsFeed: end, events: [] }),
          { ok: true },
          'commit() must accept a change that cuts the feed',
        )
        // Another caller may have waited for an older position.
        await stage.second.commit({ cutsFeed: start, events: [] })
        const behind = await stage.second.changes(start, 10)
        ensure(behind.everything, 'a cursor from before the cut must report that everything may have changed')
        ensureEqual([behind.owners, behind.bulk], [[], []], 'the feed must not return entries from before the cut')
        const kept = await stage.second.changes(end, 10)
        ensure(!kept.everything, 'the cursor up to which the feed was cut must stay valid')
        ensureEqual(kept.owners, [{ ownerId: 'ann' }], 'a cut must keep the changes after its cursor')
        await stage.store.commit({ ownersChanged: [{ ownerId: 'eve' }], events: [] })
        ensureEqual(
          (await readFeed(stage.second, kept.cursor)).owners,
          [{ ownerId: 'eve' }],
          'the feed must return changes made after the cut',
        )
        ensure(
          stage.second.reached((await stage.second.changes(undefined, 10)).cursor, end),
          'reached() must still compare positions from before and after a cut',
        )
        ensure((await list(stage, { ids: [made.id] }))[0]?.revokedAt !== undefined, 'cutting the feed must not undo a revocation')
        await stage.store.commit({ cutsFeed: 'unknown', events: [] })
        ensure((await stage.second.changes(end, 10)).everything, 'an unknown cursor must cut the whole feed')
      },
    },
    {
      title: 'addresses of last uses are removed on request, and the times are kept',
      async run(stage) {
        const [{ id }, { id: other }] = [await inserted(stage), await inserted(stage)]
        const lastUses = [id, other].map((tokenId) => ({ tokenId, at: START, ip: '192.0.2.1' }))
        const addresses = [{ tokenId: id, ip: '192.0.2.1', count: 1, lastAt: START }]
        await stage.store.recordUsage(batch({ addresses, lastUses }))
        await stage.second.trimUsage({ tokenIds: [id], lastAddresses: true })
        const [row] = await list(stage, { ids: [id] })
        ensureEqual(
          [row?.lastUsedAt, row?.lastUsedIp],
          [START, undefined],
          'trimUsage() must remove the address of the last use and keep its time',
        )
        ensureEqual(
          (await list(stage, { ids: [other] }))[0]?.lastUsedIp,
          '192.0.2.1',
          'trimUsage() must keep the last use of another token',
        )
        ensureEqual(
          (await stage.store.usage({ tokenIds: [id] })).addresses,
          addresses,
          'trimUsage() with only lastAddresses must keep the other addresses',
        )
      },
    },
    {
      title: 'while a move fences a prefix, erasures of that prefix are refused, and erasures of other prefixes are not',
      async run(stage) {
        const { store, second, prefix } = stage
        if (store.saveMove === undefined) return
        const other = newPrefix()
        const events = [event(prefix, { actorId: 'bob' }), event(other, { actorId: 'bob' })]
        for (const told of events) await store.commit({ events: [told] })
        const mine = { erasures: [await erasureOf(stage, events[0]?.id ?? '')], events: [] }
        const theirs = { erasures: [await erasureOf({ ...stage, prefix: other }, events[1]?.id ?? '')], events: [] }
        let expected: Move | undefined
        for (const state of ['fenced', 'left', 'gone', 'arriving', 'ready'] as const) {
          const next: Move = { state, moveId: 'm1', runId: 'r1' }
          ensure(await store.saveMove(prefix, expected, next), 'saveMove() must write the move')
          expected = next
          ensure(await isFenced(() => second.commit(mine)), `a move in state ${state} must refuse an erasure with store_moving`)
        }
        ensureEqual((await eventsOf(stage))[0]?.actorId, 'bob', 'a refused erasure must not change the event')
        ensureEqual(await second.commit(theirs), { ok: true }, 'commit() must accept an erasure of another prefix')
        ensureEqual(
          await second.commit({ cutsFeed: (await second.changes(undefined, 1)).cursor, events: [] }),
          { ok: true },
          'commit() must accept a change that cuts the feed, which belongs to no prefix',
        )
        ensure(await store.saveMove(prefix, expected, undefined), 'saveMove() must remove the move')
        ensureEqual(await second.commit(mine), { ok: true }, 'commit() must accept the erasure once the move is removed')
      },
    },
  ],
}
