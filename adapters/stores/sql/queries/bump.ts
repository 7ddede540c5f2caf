import { ask, type Steps } from '../engine.js'
import type { Builder } from '../quirks.js'
import { wide } from '../schema/wide.js'

/** Moves the head of the feed on, under its row lock, where the server answers what an update has written. */
export function* bumpReturning(builder: Builder, by: number): Steps<{ readonly head: number; readonly floor: number }> {
  const { rows } = yield* ask(
    builder
      .updateTable('feed')
      .set((eb) => ({ head: eb('head', '+', by) }))
      .where('id', '=', 1)
      .returning(['head', 'floor']),
  )
  return { head: wide(rows[0]?.head ?? Number.NaN), floor: wide(rows[0]?.floor ?? 0) }
}
