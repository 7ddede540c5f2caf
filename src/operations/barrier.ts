import type { Context } from './context.js'

const POLL_MS = 20
const FEED_END = 1

/**
 * Waits until every live node has followed the feed past everything that is committed now.
 *
 * A node that stays behind for `maxStalenessSeconds` no longer believes its own cache, so the wait never has to be longer than that:
 * a dead or cut-off node delays it, and cannot break it. All nodes are expected to run with the same bound.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function barrier(context: Context): Promise<void> {
  const { monotonic, clock, maxStalenessMs } = context.settings
  const began = monotonic()
  const { cursor: target } = await context.store.changes(undefined, FEED_END)
  while (monotonic() < began + maxStalenessMs) {
    const leases = await context.store.leases(clock())
    if (leases.every((lease) => context.store.reached(lease.cursor, target))) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
