import type { FaultPlace } from '../../store/fault-places.js'
import type { Context } from '../../verify/context.js'

/** Waits for work shared with other callers, but no longer than this call's remaining time. */
export async function join<T>({ allowance, report }: Context, what: string, where: FaultPlace, shared: Promise<T>): Promise<T> {
  return allowance === undefined ? await shared : await allowance.join(what, { where, report }, shared)
}

/** `Outbox.place` with the deadline of one call. */
export async function placeEvents(context: Context): Promise<void> {
  await join(context, `the ${context.store.name} store's placeEvents()`, 'store.placeEvents', context.outbox.place())
}

/** Writes the counted uses to the store, so that the answer read next includes them. */
export async function flushUsage(context: Context): Promise<void> {
  const { usage, store } = context
  if (usage !== undefined) await join(context, `the ${store.name} store's recordUsage()`, 'store.recordUsage', usage.flush())
}
