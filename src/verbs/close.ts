import { neverThrowing } from '../policy/instant.js'
import { leave } from '../store/users.js'
import type { Context } from '../verify/context.js'

/**
 * Flushes all buffers, stops every timer and subscription, and closes the store unless another instance still uses it.
 *
 * @throws StoreUnavailableError `store_unavailable`, when counts could not be written; everything else is stopped anyway
 */
export async function close(context: Context): Promise<void> {
  const { consumers, housekeeping, signals, records, buffers, store, settings } = context
  housekeeping.stop()
  signals.stop()
  const clock = neverThrowing(settings.clock)
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
  // These steps run in parallel, and a store that is closing is no longer called once a call has timed out. A store that hangs then delays shutdown by at most
  // one deadline after the call in progress, not by one deadline per step.
  await Promise.all([
    attempt(() => consumers.stopAll()),
    ...buffers.map((buffer) => attempt(() => buffer.flush(clock(), true))),
    attempt(() => records.stop()),
  ])
  store.end()
  if (!stillUsed) await attempt(() => store.close())
  if (faults.length > 0) throw faults[0]
}
