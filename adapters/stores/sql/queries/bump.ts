import { ask, type Steps } from '../engine.js'
import type { Builder } from '../quirks.js'
import { wide } from '../schema/wide.js'

/** Advances the head of the feed under its row lock, on servers that return what an update wrote. */
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
