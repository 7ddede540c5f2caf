import type { RecordCache } from '../../cache/records.js'
import { boundOfNode } from '../../policy/cache-bounds.js'
import { apart } from '../../store/deadline.js'
import type { NodeLease } from '../../store/port.js'
import type { Context } from '../../verify/context.js'

/** How long a wait pauses before it looks again. The longer it has waited, the longer it pauses, so that a dead node causes few reads. */
const POLL_MS = { shortest: 20, share: 0.05, longest: 500 }
/** How long a lease lasts. A node that reads the feed renews its lease several times in this period. */
const LEASE_MS = 90_000

/** How far apart waits begin. */
const GAP_MS = 10
/** From this number of waits on, they begin further apart. */
const MANY = 50
const LONG_GAP_MS = 500

type Seen = { readonly lease: NodeLease; readonly since: number }

/** When each lease of another node was last seen to change. */
const watches: WeakMap<RecordCache, ReadonlyMap<string, Seen>> = new WeakMap()

/**
 * Waits until every live node has followed the feed past everything committed so far.
 *
 * A node that falls behind by more than `maxStaleness` plus `serveStaleFor` stops trusting its cache, so the wait never has to be longer. A dead
 * or disconnected node, or an unavailable store, can delay the wait but not break it. The wait uses the bound in each node's ID, or this
 * node's bound where an ID has none. The change is already committed, so the wait does not count against the call's deadline.
 *
 * @returns the position of the feed that it waited for, or `undefined` if it could not be read
 */
export async function barrier(context: Context): Promise<string | undefined> {
  return await apart(context.allowance, () => shareWait(context))
}

/** The waits of an instance: how many are under way, when the last one began, and the next one, which callers share. */
type Waits = { underWay: number; begunAt: number; next: Promise<string | undefined> | undefined }

const waitsOf: WeakMap<RecordCache, Waits> = new WeakMap()

/**
 * Waits together with other callers. A wait begins at most once in each gap, for everyone who has called before it begins, because a wait can last as long as
 * a dead node is trusted, and callers can come at any rate.
 */
async function shareWait(context: Context): Promise<string | undefined> {
  const { monotonic } = context.settings
  const waits = waitsOf.get(context.records) ?? { underWay: 0, begunAt: Number.NEGATIVE_INFINITY, next: undefined }
  waitsOf.set(context.records, waits)
  const begin = async (): Promise<string | undefined> => {
    waits.next = undefined
    waits.begunAt = monotonic()
    waits.underWay += 1
    try {
      return await waitForAll(context)
    } finally {
      waits.underWay -= 1
    }
  }
  const left = waits.begunAt + (waits.underWay < MANY ? GAP_MS : LONG_GAP_MS) - monotonic()
  if (!(left > 0)) return await (waits.next ?? begin())
  waits.next ??= new Promise((resolve) => setTimeout(resolve, left)).then(begin)
  return await waits.next
}

async function waitForAll(context: Context): Promise<string | undefined> {
  const { monotonic } = context.settings
  const start = monotonic()
  let longest = ownBound(context)
  let target: string | undefined
  for (;;) {
    try {
      target ??= await context.nodes.feedEnd.next()
      const behind = await boundsBehind(context, target)
      if (behind.length === 0) return target
      longest = Math.max(...behind)
    } catch (error) {
      context.report('feed', error)
      // Without the leases, only elapsed time shows that the other nodes no longer trust old entries.
    }
    const waited = monotonic() - start
    if (waited >= longest) return target
    const pause = Math.min(Math.max(POLL_MS.shortest, waited * POLL_MS.share), POLL_MS.longest, longest - waited)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

function ownBound({ settings }: Context): number {
  return settings.maxStalenessMs + settings.serveStaleMs
}

/**
 * Returns the bounds of the nodes that are behind and may still accept old entries.
 *
 * A lease's instant comes from another node's wall clock, which may be off by hours. A change in the instant or the position shows that the node is alive;
 * the values themselves prove nothing. Once a lease has not changed for its duration plus the node's bound, by this node's monotonic clock, the node no
 * longer accepts its cached data.
 */
async function boundsBehind(context: Context, target: string): Promise<readonly number[]> {
  const { store, settings, nodes } = context
  const now = settings.monotonic()
  const leases = await nodes.leases.next()
  const before = watches.get(context.records)
  const seen = leases.map((lease): Seen => {
    const known = before?.get(lease.nodeId)
    return known?.lease.expiresAt === lease.expiresAt && known.lease.cursor === lease.cursor ? known : { lease, since: now }
  })
  watches.set(context.records, new Map(seen.map((one) => [one.lease.nodeId, one])))
  return seen.flatMap(({ lease, since }) => {
    const bound = boundOfNode(lease.nodeId) ?? ownBound(context)
    return store.reached(lease.cursor, target) || now - since >= LEASE_MS + bound ? [] : [bound]
  })
}
