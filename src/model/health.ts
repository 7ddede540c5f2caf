/** How an instance is doing, as `health()` tells. */
export type Health = {
  /** Can requests be decided now? Yes while the instance is open and the store answers. */
  readonly ok: boolean
  readonly store: {
    /** Did the store answer a read within the deadline? */
    readonly ok: boolean
    /** `open`: the store hangs, and reads are refused without asking it, but for a few that try whether it is back. */
    readonly breaker: 'closed' | 'open'
    /**
     * How far a move of the tokens has come. Out of this store: `leaving`, being copied while everything goes on; `fenced`, changes are refused; `left`, it
     * decides nothing any more. Into it: `arriving`, it decides nothing yet; `ready`, changes are refused. Absent: there is no move, or it is not known.
     */
    readonly move?: 'leaving' | 'fenced' | 'left' | 'arriving' | 'ready'
  }
  readonly feed: {
    /** May cached records be believed now? Also yes before the first verification, when nothing is cached. Without it every verification reads the store. */
    readonly ok: boolean
    /** How long ago the change feed was last read to its end. Absent until it was. */
    readonly lagSeconds?: number
    /** Does the channel work that tells of changes on other nodes? Without it the feed is read every so often. Absent: the store has none, or nothing was heard of it yet. */
    readonly wakeUps?: 'ok' | 'lost'
  }
  readonly usage: {
    /** Tokens with uses that are not written yet. */
    readonly pending: number
    /** Uses that were not counted since the start, because too many waited for the store. */
    readonly dropped: number
  }
  /** Audit events that this node has come across since its start, and that cannot be read whole in the store; the first 100. */
  readonly damagedEvents: readonly DamagedEvent[]
  /** The consumers of audit events, webhooks among them: those that run on this node, and every other that ever ran on some node. */
  readonly consumers: readonly ConsumerHealth[]
}

/** An audit event whose row somebody or something damaged. */
export type DamagedEvent = {
  readonly id: string
  /** Its place in the store's order. */
  readonly seq: number
  /** The fields that cannot be read. */
  readonly fields: readonly string[]
}

/** How a consumer of audit events is doing. */
export type ConsumerHealth = {
  readonly name: string
  /** How old the oldest event is that no node has handled for it, by the clocks of this node and of the one that wrote it; 0 where none waits. Absent: not known now. */
  readonly lagSeconds?: number
  /** Does it run on this node? If not, on another one, or nowhere any more. */
  readonly runsHere: boolean
  /** Failures on this node since it last handled an event. */
  readonly failures: number
  /** How long ago the last failure on this node was. Absent: none since the start. */
  readonly lastFailureSecondsAgo?: number
  /** How many dead letters of this webhook are listed. Absent for other consumers, and where not known now. */
  readonly deadLetters?: number
}
