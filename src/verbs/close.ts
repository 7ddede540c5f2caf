import { leave } from '../store/users.js'
import type { Context } from '../verify/context.js'

/**
 * Writes what is buffered, stops every timer and subscription, and closes the store unless another instance still uses it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when counts could not be written; everything is stopped all the same
 */
export async function close(context: Context): Promise<void> {
  const { consumers, housekeeping, signals, records, usage, refusals, reuses, attempts, lineages, store, settings } = context
  housekeeping.stop()
  signals.stop()
  const stillUsed = leave(store.origin)
  const steps = [
    () => consumers.stopAll(),
    () => usage?.flush(),
    () => lineages?.flush(),
    () => refusals.flush(settings.clock(), true),
    () => reuses.flush(settings.clock(), true),
    () => attempts.flush(settings.clock(), true),
    () => records.stop(),
    () => (stillUsed ? undefined : store.close()),
  ]
  const faults: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      faults.push(error)
    }
  }
  if (faults.length > 0) throw faults[0]
}
