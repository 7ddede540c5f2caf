import { BRIEF_MS } from './silence.js'

type Lease = { release(drop?: boolean): void }

/** How long a call waits for a connection, which is also how long a short read may hold one. By then the caller has timed out. */
const PATIENCE_MS = BRIEF_MS
/** How many connections the reads of the feed may hold. */
const FEED = 3
/** The assumed size of a pool that does not report its size. */
const UNKNOWN = 100

const late = (): Error => Object.assign(new Error('no connection became available'), { code: 'ETIMEDOUT' })

const isLate = (since: number): boolean => performance.now() - since > PATIENCE_MS

/**
 * Allows a fixed number of calls at a time to hold the resource that `take` returns. Other calls wait here instead of in the pool's queue, which a call
 * cannot leave.
 *
 * A call that gets its turn too late returns the resource unused.
 */
export const inTurn = <L extends Lease>(most: number, take: () => Promise<L>): (() => Promise<L>) => {
  let taken = 0
  const waiting: { readonly since: number; go(): void; giveUp(): void }[] = []
  const giveUpLate = (): void => {
    while (waiting[0] !== undefined && isLate(waiting[0].since)) waiting.shift()?.giveUp()
  }
  const free = (): void => {
    taken -= 1
    giveUpLate()
    waiting.shift()?.go()
  }
  const begin = async (since: number): Promise<L> => {
    taken += 1
    let lease: L
    try {
      lease = await take()
    } catch (error) {
      free()
      throw error
    }
    const release = (drop?: boolean): void => {
      lease.release(drop)
      free()
    }
    if (!isLate(since)) return { ...lease, release }
    release()
    throw late()
  }
  return () => {
    const since = performance.now()
    if (taken < most) return begin(since)
    giveUpLate()
    return new Promise((resolve, reject) => {
      waiting.push({ since, go: () => resolve(begin(since)), giveUp: () => reject(late()) })
    })
  }
}

/** The connections of a pool, shared by four kinds of work. */
export type Shares<L> = {
  /** For reads by key, which may use every connection. */
  any(): Promise<L>
  /** For following the feed, which may use only a few, so that reads that hang leave connections for other work. */
  feed(): Promise<L>
  /** For changes and all other work, which may use all but one, so that a short read can always find out whether the server answers. */
  others(): Promise<L>
  /** For reads of many rows, which may use two fewer than that. A change never lacks a connection because of them, even during a large bulk revocation. */
  reads(): Promise<L>
}

/** Divides a pool of this size. */
export const sharesOf = <L extends Lease>(size: unknown, take: () => Promise<L>): Shares<L> => {
  const most = typeof size === 'number' && size >= 1 ? size : UNKNOWN
  const any = inTurn(most, take)
  const others = inTurn(Math.max(1, most - 1), any)
  // Of two connections, one is for reads of many rows and one for changes.
  const reads = inTurn(Math.max(1, most - 3), most > 2 ? others : any)
  return { any, feed: inTurn(FEED, any), others, reads }
}
