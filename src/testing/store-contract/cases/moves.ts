import type { Move } from '../../../store/moving.js'
import { ensure, ensureEqual, isFenced } from '../../assert.js'
import { bulkEvent, bulkStamp, event, eventIds, findOne, insert, inserted, newPrefix, readFeed, token } from '../build.js'
import { movable, move } from '../movable.js'
import type { StoreCases } from '../types.js'

export const moveCases: StoreCases = {
  title: 'moving to another store',
  cases: [
    {
      title: 'a store that can be moved has all three methods',
      run({ store }) {
        const offered = [store.readMove, store.saveMove, store.restore].filter((method) => method !== undefined)
        ensure(offered.length % 3 === 0, 'a store must implement all of readMove(), saveMove() and restore(), or none')
      },
    },
    movable(
      'saving a move replaces only the expected move of the same prefix, and the move survives reopening',
      async (stage, store, second) => {
        const { prefix } = stage
        const { cursor } = await stage.store.changes(undefined, 1)
        ensureEqual(await store.readMove(prefix), undefined, 'a new prefix must have no move')
        ensureEqual(await store.saveMove(prefix, move('leaving'), move('fenced')), false, 'saveMove() must not replace a missing move')
        const runs = Array.from({ length: 16 }, (_, index) => move('leaving', { runId: `run-${index}` }))
        const won = await Promise.all(runs.map((next, turn) => (turn % 2 === 0 ? store : second).saveMove(prefix, undefined, next)))
        ensureEqual(won.filter(Boolean).length, 1, 'exactly one of 16 concurrent saveMove() calls must succeed')
        const written = runs[won.indexOf(true)]
        ensureEqual(await second.readMove(prefix), written, 'the stored move must be the one whose saveMove() returned true')
        ensure((await readFeed(stage.second, cursor)).everything, 'the feed must report that everything may have changed')
        ensureEqual(await store.readMove(newPrefix()), undefined, 'another prefix must have no move')
        await stage.store.close?.()
        const again = await stage.reopen()
        ensureEqual(await again.readMove?.(prefix), written, 'a move must survive reopening the store')
        ensureEqual(await again.saveMove?.(prefix, written, undefined), true, 'saveMove() must remove the move that it expects')
        ensureEqual(await again.readMove?.(prefix), undefined, 'the move must be gone after it is removed')
      },
    ),
    movable(
      'while a move fences a prefix, changes to that prefix are refused and write nothing, and changes to other prefixes are accepted',
      async (stage, store) => {
        const { prefix } = stage
        const stored = await inserted(stage)
        const before = await eventIds(stage)
        const stamp = bulkStamp()
        const change = { inserts: [token(prefix)], events: [event(prefix)] }
        let expected: Move | undefined
        for (const state of ['fenced', 'left', 'gone', 'arriving', 'ready'] as const) {
          ensure(await store.saveMove(prefix, expected, move(state)), 'saveMove() must write the move')
          expected = move(state)
          ensure(await isFenced(() => stage.second.commit(change)), `a move in state ${state} must refuse a commit with store_moving`)
          const bulk = (): unknown => stage.second.revokeWhere({ prefix }, stamp, bulkEvent(prefix, stamp))
          ensure(await isFenced(bulk), `a move in state ${state} must refuse a bulk revocation with store_moving`)
          const nothing = (): unknown => stage.second.revokeWhere({ prefix, ownerId: 'nobody' }, stamp, bulkEvent(prefix, stamp))
          ensure(await isFenced(nothing), `a move in state ${state} must also refuse a bulk revocation that matches nothing`)
          const seal = (): unknown => stage.second.saveSeal({ prefix, number: 1, body: '{}' })
          ensure(await isFenced(seal), `a move in state ${state} must refuse a seal with store_moving`)
        }
        ensureEqual(await findOne(stage.second, stored.id), stored, 'a refused bulk revocation must not change a token')
        ensureEqual(await findOne(stage.second, change.inserts[0]?.id ?? ''), undefined, 'a refused commit must write no token')
        ensureEqual(await eventIds(stage), before, 'a refused change must write no event')
        ensureEqual(await stage.second.seals({ prefix, limit: 9 }), [], 'a refused seal must not be stored')
        const theirs = newPrefix()
        ensure(await stage.second.saveSeal({ prefix: theirs, number: 1, body: '{}' }), 'saveSeal() must accept a seal of another prefix')
        await insert(stage.second, [token(newPrefix())])
        ensure(await store.saveMove(prefix, expected, move('leaving')), 'saveMove() must set the move back to leaving')
        ensureEqual(await stage.second.commit(change), { ok: true }, 'a move in state "leaving" must not refuse a commit')
        ensure(await stage.second.saveSeal({ prefix, number: 1, body: '{}' }), 'a move in state "leaving" must not refuse a seal')
      },
    ),
    movable('a change that races with the fence is either stored before it or refused', async (stage, store) => {
      const { prefix } = stage
      for (let round = 0; round < 5; round += 1) {
        const made = Array.from({ length: 24 }, () => token(prefix))
        const outcomes = made.map(async (one, turn) => {
          const commit = (): unknown => stage.handle(turn).commit({ inserts: [one], events: [event(prefix, { tokenId: one.id })] })
          return (await isFenced(commit)) ? 'refused' : 'done'
        })
        ensure(await store.saveMove(prefix, undefined, move('fenced')), 'saveMove() must write the fence')
        const there = new Set((await stage.second.find(made.map(({ id }) => id))).map(({ id }) => id))
        for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
          const isThere = there.has(made[index]?.id ?? '')
          ensureEqual(
            isThere,
            outcome === 'done',
            `a commit that was ${outcome} must ${outcome === 'done' ? '' : 'not '}be stored once the fence is written`,
          )
        }
        ensure(await store.saveMove(prefix, move('fenced'), undefined), 'saveMove() must lift the fence')
      }
    }),
    movable('a write added to a host transaction is refused while a move fences its prefix', async (stage, store) => {
      const { beginTransaction, prefix } = stage
      if (stage.store.commitIn === undefined || beginTransaction === undefined) return
      ensure(await store.saveMove(prefix, undefined, move('fenced')), 'saveMove() must write the fence')
      const made = token(prefix)
      const begun = await beginTransaction()
      const add = (): unknown => stage.store.commitIn?.(begun.transaction, { inserts: [made], events: [event(prefix)] })
      const refused = await isFenced(add)
      await begun.commit()
      ensure(refused, 'commitIn() must refuse an addition to a fenced prefix with store_moving')
      ensureEqual(await findOne(stage.second, made.id), undefined, 'a refused addition must write no token')
      ensureEqual(await stage.store.placeEvents?.(prefix), [], 'a refused addition must leave no event to place')
    }),
  ],
}
