import type { Move, MoveState } from '../../store/moving.js'
import type { TokenStore } from '../../store/port.js'
import type { Stage, StoreCase } from './types.js'

export type Movable = Required<Pick<TokenStore, 'readMove' | 'saveMove' | 'restore'>>

export const move = (state: MoveState, fields: Partial<Move> = {}): Move => ({ state, moveId: 'm1', runId: 'r1', ...fields })

/** Creates a case for stores that support moves. Does nothing for other stores. */
export function movable(title: string, run: (stage: Stage, movable: Movable, second: Movable) => Promise<void>): StoreCase {
  return {
    title,
    async run(stage) {
      const { store, second } = stage
      if (isMovable(store) && isMovable(second)) await run(stage, store, second)
    },
  }
}

const isMovable = (store: TokenStore): store is TokenStore & Movable => store.saveMove !== undefined
