import { leave } from '../store/users.js'
import type { Context } from '../verify/context.js'

/**
 * Writes what is buffered, stops every timer and subscription, and closes the store unless another instance still uses it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when counts could not be written; everything is stopped all the same
 */
export async function close(context: Context): Promise<void> {
  const { consumers, housekeeping, signals, records, buffers, store, settings } = context
  housekeeping.stop()
  signals.stop()
  const stillUsed = leave(store.origin)
  const faults: unknown[] = []
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await step()
    } catch (error) {
      context.report('close', error)
      faults.push(error)
    }
  }
  // At once, and no call after one that hung: a store that hangs holds up the end of the process by one deadline more than a call under way, not by one for each step.
  store.beginClose()
  await Promise.all([
    attempt(() => consumers.stopAll()),
    ...buffers.map((buffer) => attempt(() => buffer.flush(settings.clock(), true))),
    attempt(() => records.stop()),
  ])
  if (!stillUsed) await attempt(() => store.close())
  if (faults.length > 0) throw faults[0]
}
