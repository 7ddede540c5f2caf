import { GuardedStore } from './guarded-store.js'
import { MOVE_STATES, type Move, type Restored, type RestoreResult } from './moving.js'
import { SETUP_DEADLINE_MS } from './store-calls.js'

/** A store during a copy to or from it. The restrictions of a move do not apply to the copy. */
export class MovingStore extends GuardedStore {
  async readMove(prefix: string): Promise<Move | undefined> {
    const found = await this.manage(
      'readMove',
      () => this.store.readMove?.(prefix),
      (answer) => this.sound(readMove(answer), 'readMove'),
    )
    return found === 'none' ? undefined : found
  }

  /** Waits for the host's transactions, which may be long. */
  async saveMove(prefix: string, expected: Move | undefined, next: Move | undefined): Promise<boolean> {
    return await this.manage(
      'saveMove',
      () => this.store.saveMove?.(prefix, expected, next),
      (answer) => this.yesOrNo(answer, 'saveMove'),
      SETUP_DEADLINE_MS,
    )
  }

  async restore(restored: Restored): Promise<RestoreResult> {
    return await this.manage(
      'restore',
      () => this.store.restore?.(restored),
      (answer) => this.sound(readRestoreResult(answer), 'restore'),
      SETUP_DEADLINE_MS,
    )
  }
}

/** Reads a move: `none` if there is none, `undefined` if the result is invalid. */
function readMove(answer: unknown): Move | 'none' | undefined {
  if (answer === undefined) return 'none'
  const { state: said, moveId, runId } = Object(answer) as { readonly [K in keyof Move]?: unknown }
  const state = MOVE_STATES.find((known) => known === said)
  return state !== undefined && typeof moveId === 'string' && typeof runId === 'string' ? { state, moveId, runId } : undefined
}

/** Returns the result of a restore, or `undefined` if it is invalid. */
function readRestoreResult(answer: unknown): RestoreResult | undefined {
  return (['written', 'superseded', 'taken'] as const).find((result) => result === answer)
}
