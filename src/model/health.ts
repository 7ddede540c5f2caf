/** How an instance is doing, as `health()` tells. */
export type Health = {
  /** Can requests be decided now? Yes while the instance is open and the store answers. */
  readonly ok: boolean
  readonly store: {
    /** Did the store answer a read within the deadline? */
    readonly ok: boolean
    /** `open`: the store hangs, and reads are refused without asking it, but for a few that try whether it is back. */
    readonly breaker: 'closed' | 'open'
  }
  readonly feed: {
    /** May cached records be believed now? Also yes before the first verification, when nothing is cached. Without it every verification reads the store. */
    readonly ok: boolean
    /** How long ago the change feed was last read to its end. Absent until it was. */
    readonly lagSeconds?: number
  }
  readonly usage: {
    /** Tokens with uses that are not written yet. */
    readonly pending: number
    /** Uses that were not counted since the start, because too many waited for the store. */
    readonly dropped: number
  }
}
