import type { FaultPlace } from '../../store/fault-places.js'
import type { Context } from '../../verify/context.js'

/** Waits for work shared with other callers, but no longer than this call's remaining time. */
export async function join<T>({ allowance, report }: Context, what: string, where: FaultPlace, shared: Promise<T>): Promise<T> {
  return allowance === undefined ? await shared : await allowance.join(what, { where, report }, shared)
}

/** Places the events of host transactions, or those about some tokens, with the deadline of one call. */
export async function placeEvents(context: Context, tokenIds?: readonly string[]): Promise<void> {
  const { outbox, store } = context
  const placed = tokenIds === undefined ? outbox.place() : outbox.placeOf(tokenIds)
  await join(context, `the ${store.name} store's placeEvents()`, 'store.placeEvents', placed)
}

/** Writes the counted uses to the store, so that the answer read next includes them. */
export async function flushUsage(context: Context): Promise<void> {
  const { usage, store } = context
  if (usage !== undefined) await join(context, `the ${store.name} store's recordUsage()`, 'store.recordUsage', usage.flush())
}
