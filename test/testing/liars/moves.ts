import { memoryStore } from 'latchkey/stores/memory'
import type { Move } from '../../../src/store/moving.js'
import { refuseWhileMoving } from '../../../src/store/moving.js'
import type { TokenStore } from '../../../src/store/port.js'
import { pause } from '../../../src/testing/pause.js'
import { type Liar, single } from './liar.js'

/** The state of moves, unknown to the store itself. */
const keptBeside = (moves: Map<string, Move>): Required<Pick<TokenStore, 'readMove' | 'saveMove'>> => ({
  readMove: (prefix) => moves.get(prefix),
  saveMove(prefix, _, next) {
    if (next === undefined) moves.delete(prefix)
    else moves.set(prefix, next)
    return true
  },
})

export const moveLiars: readonly Liar[] = [
  {
    name: 'checks for the fence first and writes the change later',
    caughtBy: 'a change that races with the fence is either stored before it or refused',
    create() {
      const store = memoryStore()
      const moves = new Map<string, Move>()
      return single({
        ...store,
        ...keptBeside(moves),
        async commit(change) {
          refuseWhileMoving(moves.get(change.events[0]?.prefix ?? ''))
          await pause(1)
          return store.commit(change)
        },
      })
    },
  },
  {
    name: 'lets an erasure without an event past the fence',
    caughtBy: 'while a move fences a prefix, erasures of that prefix are refused, and erasures of other prefixes are not',
    create() {
      const store = memoryStore()
      const moves = new Map<string, Move>()
      return single({
        ...store,
        ...keptBeside(moves),
        commit(change) {
          for (const { prefix } of change.events) refuseWhileMoving(moves.get(prefix))
          return store.commit(change)
        },
        revokeWhere(filter, stamp, event) {
          refuseWhileMoving(moves.get(filter.prefix))
          return store.revokeWhere(filter, stamp, event)
        },
      })
    },
  },
  {
    name: 'stops changes at the fence but not seals',
    caughtBy:
      'while a move fences a prefix, changes to that prefix are refused and write nothing, and changes to other prefixes are accepted',
    create() {
      const store = memoryStore()
      const moves = new Map<string, Move>()
      return single({
        ...store,
        ...keptBeside(moves),
        commit(change) {
          for (const { prefix } of change.events) refuseWhileMoving(moves.get(prefix))
          return store.commit(change)
        },
        revokeWhere(filter, stamp, event) {
          refuseWhileMoving(moves.get(filter.prefix))
          return store.revokeWhere(filter, stamp, event)
        },
      })
    },
  },
  {
    name: 'assigns new positions to restored events',
    caughtBy: 'restored records are unchanged, restored events keep their positions, and later events follow them',
    create() {
      const store = memoryStore()
      let seq = 5_000_000
      return single({
        ...store,
        restore(restored) {
          const events = restored.events?.map((event) => ({ ...event, seq: seq++ }))
          return store.restore?.({ ...restored, ...(events !== undefined && { events }) }) ?? 'taken'
        },
      })
    },
  },
  {
    name: 'lets an earlier copy keep writing',
    caughtBy: 'a run that was superseded restores nothing',
    create() {
      const store = memoryStore()
      return single({
        ...store,
        async restore(restored) {
          const move = await store.readMove?.(restored.prefix)
          return (await store.restore?.({ ...restored, runId: move?.runId ?? restored.runId })) ?? 'taken'
        },
      })
    },
  },
]
