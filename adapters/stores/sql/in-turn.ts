type Lease = { release(drop?: boolean): void }

/** How long a call waits for a connection. By then its caller has had an answer long ago. */
const PATIENCE_MS = 5_000
/** How many connections the reads of the feed and what belongs to them may hold. */
const FEED = 3
/** The size of a pool that does not tell its own. */
const UNKNOWN = 100

const late = (): Error => Object.assign(new Error('no connection became free'), { code: 'ETIMEDOUT' })

const isLate = (since: number): boolean => performance.now() - since > PATIENCE_MS

/**
 * Lets so many calls at a time have what `take` hands out. The others wait here, and not in the queue of a pool, which nobody can leave.
 *
 * A call whose turn comes too late gives back what it gets, untouched.
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

/** The connections of a pool, for three kinds of work. */
export type Shares<L> = {
  /** For reads by key: all of them. */
  any(): Promise<L>
  /** For following the feed: a few, so that reads which hang leave the pool to others. */
  feed(): Promise<L>
  /** For all other work: all but one, so that a brief read always finds out whether the server answers. */
  others(): Promise<L>
}

/** Shares out a pool of this size. */
export const sharesOf = <L extends Lease>(size: unknown, take: () => Promise<L>): Shares<L> => {
  const most = typeof size === 'number' && size >= 1 ? size : UNKNOWN
  const any = inTurn(most, take)
  return { any, feed: inTurn(FEED, any), others: inTurn(Math.max(1, most - 1), any) }
}
