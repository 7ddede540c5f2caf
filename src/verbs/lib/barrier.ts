import type { NodeLease } from '../../store/port.js'
import type { Context } from '../../verify/context.js'

const POLL_MS = 20
const FEED_END = 1
/** A node renews its lease several times in this time; one whose lease stood still for as long, by this node's monotonic clock, is dead. */
const DEAD_AFTER_MS = 90_000
/** Released leases alone have run out by then. */
const ALL_LEASES = 0

type Seen = { readonly lease: NodeLease; readonly since: number }

/** When the leases of the others were last seen to move. */
const watches: WeakMap<Context, ReadonlyMap<string, Seen>> = new WeakMap()

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
    } catch (error) {
      context.report('feed', error)
      // Without the leases, time alone tells.
    }
    const left = end - monotonic()
    if (left <= 0) return
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, left)))
  }
}

// The instant of a lease was written by another node's wall clock, which may be off by hours: that it moves tells of life, not where it stands.
async function allReached(context: Context, target: string): Promise<boolean> {
  const { store, settings } = context
  const now = settings.monotonic()
  const before = watches.get(context)
  const seen = (await store.leases(ALL_LEASES)).map((lease): Seen => {
    const known = before?.get(lease.nodeId)
    return known?.lease.expiresAt === lease.expiresAt && known.lease.cursor === lease.cursor ? known : { lease, since: now }
  })
  watches.set(context, new Map(seen.map((one) => [one.lease.nodeId, one])))
  return seen.every(({ lease, since }) => store.reached(lease.cursor, target) || now - since >= DEAD_AFTER_MS)
}
