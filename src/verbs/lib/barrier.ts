import type { Context } from '../../verify/context.js'

const POLL_MS = 20
const FEED_END = 1
/** The lease of a live node carries that node's clock, which may be off by this much. A node that died delays barriers for as long. */
const CLOCKS_MAY_DIFFER_MS = 2 * 3_600_000

/**
 * Waits until every live node has followed the feed past everything that is committed now.
 *
 * A node that stays behind for `maxStalenessSeconds` (and what `onStale` adds to it) no longer believes its own cache, so the wait never
 * has to be longer than that: a dead or cut-off node, or a store that cannot be asked, delays it and cannot break it. All nodes are expected
 * to run with the same bound.
 */
export async function barrier(context: Context): Promise<void> {
  const { monotonic, maxStalenessMs, serveStaleMs } = context.settings
  const end = monotonic() + maxStalenessMs + serveStaleMs
  let target: string | undefined
  for (;;) {
    try {
      target ??= (await context.store.changes(undefined, FEED_END)).cursor
      if (await allReached(context, target)) return
    } catch {
      // Without the leases, time alone tells.
    }
    const left = end - monotonic()
    if (left <= 0) return
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, left)))
  }
}

async function allReached({ store, settings }: Context, target: string): Promise<boolean> {
  const leases = await store.leases(settings.clock() - CLOCKS_MAY_DIFFER_MS)
  return leases.every((lease) => store.reached(lease.cursor, target))
}
