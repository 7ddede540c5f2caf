import type { TokenStore } from '../store/port.js'
import type { Context } from '../verify/context.js'

/** How many open instances use a store: the last one to close closes it. */
const users: WeakMap<TokenStore, number> = new WeakMap()

/** Counts an instance in. */
export function share(store: TokenStore): void {
  users.set(store, (users.get(store) ?? 0) + 1)
}

/**
 * Writes what is buffered, stops every timer and subscription, and closes the store unless another instance still uses it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when counts could not be written; everything is stopped all the same
 */
export async function close(context: Context): Promise<void> {
  const { housekeeping, signals, records, usage, refusals, store, settings } = context
  housekeeping.stop()
  signals.stop()
  const left = (users.get(store.origin) ?? 1) - 1
  users.set(store.origin, left)
  const steps = [
    () => usage?.flush(),
    () => refusals.flush(settings.clock(), true),
    () => records.stop(),
    () => (left > 0 ? undefined : store.close()),
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
