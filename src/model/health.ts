/** The state of an instance, from `health()`. */
export type Health = {
  /** Whether requests can be decided now: true while the instance is open and the store responds. */
  readonly ok: boolean
  readonly store: {
    /** Whether the store answered a read within the deadline. */
    readonly ok: boolean
    /** `open`: the store hangs, and reads are refused without querying it, except for a few that test whether it has recovered. */
    readonly breaker: 'closed' | 'open'
    /**
     * The state of a move of the tokens. In a move out of this store: `leaving`, being copied while changes continue; `fenced`, changes are
     * refused; `left`, it no longer verifies tokens. In a move into it: `arriving`, it accepts no tokens yet; `ready`, changes are
     * refused. Absent if there is no move, or its state is unknown.
     */
    readonly move?: 'leaving' | 'fenced' | 'left' | 'arriving' | 'ready'
  }
  readonly feed: {
    /** Whether cached records can be used now; also true while nothing is cached yet. If false, every verification reads the store. */
    readonly ok: boolean
    /** Time since the change feed was last read to its end. Absent until then. */
    readonly lagSeconds?: number
    /** Whether wake-ups about changes on other nodes arrive. Without them, the feed is polled. Absent if the store has none, or this is not known yet. */
    readonly wakeUps?: 'ok' | 'lost'
  }
  readonly usage: {
    /** Tokens with uses that have not been written yet. */
    readonly pending: number
    /** Uses since the start that were not counted, because too many were waiting for the store. */
    readonly dropped: number
  }
  /** The first 100 damaged audit events that this node has read since its start. */
  readonly damagedEvents: readonly DamagedEvent[]
  /** The first 100 tokens that this node could not read since its start. They are refused, no list contains them, and they cannot be changed. */
  readonly damagedTokens: readonly DamagedToken[]
  /** The consumers of audit events, including webhooks: those that run on this node, and all others that have ever run on any node. */
  readonly consumers: readonly ConsumerHealth[]
}

/** An audit event whose row in the store is damaged. */
export type DamagedEvent = {
  readonly id: string
  /** Its position in the store's order. */
  readonly seq: number
  /** The unreadable fields. */
  readonly fields: readonly string[]
}

/** A token whose row in the store is damaged. */
export type DamagedToken = {
  readonly id: string
  /** The unreadable fields; `record` if none can be read. */
  readonly fields: readonly string[]
}

/** The state of a consumer of audit events. */
export type ConsumerHealth = {
  readonly name: string
  /** The age of the oldest event that the consumer has not handled, by the clocks of this node and its writer; 0 if there is none. Absent if unknown. */
  readonly lagSeconds?: number
  /** Whether it runs on this node. If not, it runs on another node, or no longer runs. */
  readonly runsHere: boolean
  /** The number of failures on this node since it last handled an event. */
  readonly failures: number
  /** Time since the last failure on this node. Absent if there was none since the start. */
  readonly lastFailureSecondsAgo?: number
  /** The number of dead letters of this webhook. Absent for other consumers, and if currently unknown. */
  readonly deadLetters?: number
}
