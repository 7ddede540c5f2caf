import type { Attempts } from '../activity/attempts.js'
import type { CoalescedEvents } from '../activity/coalesced-events.js'
import type { Consumers } from '../activity/consumers.js'
import type { Housekeeping } from '../activity/housekeeping.js'
import type { LineageRevoker } from '../activity/lineages.js'
import type { OpenUses } from '../activity/open-uses.js'
import type { Outbox } from '../activity/outbox.js'
import type { FreshRead } from '../activity/shared-read.js'
import type { UsageRecorder } from '../activity/usage.js'
import type { Budget } from '../cache/budget.js'
import type { GuessingBudget } from '../cache/guessing.js'
import type { Owners } from '../cache/owners.js'
import type { RecordCache } from '../cache/records.js'
import type { Signals } from '../cache/signals.js'
import type { StoredEvent } from '../model/event.js'
import type { Known } from '../model/presenter.js'
import type { Vitals } from '../model/vitals.js'
import type { Settings } from '../options.js'
import type { Rates } from '../rate-limit/rates.js'
import type { Allowance } from '../store/deadline.js'
import type { GuardedStore } from '../store/guarded-store.js'
import type { NodeLease } from '../store/port.js'
import type { Report } from '../store/reporter.js'
import type { Background } from '../store/timer.js'
import type { Imported } from './imported.js'
import type { SignalOf } from './principal.js'
import type { ActorTurns, StoreTurns } from './store-turns.js'

/** Data that is written with a delay. */
export type Buffered = {
  readonly pending: boolean
  /** `all`: also writes data that normally waits longer, such as an event that is still being coalesced. */
  flush(now: number, all: boolean): Promise<void>
}

/** Store reads that callers waiting for other nodes share. Each caller gets data that was read after its request. */
export type NodeReads = {
  /** The leases of all nodes that have not released them. */
  readonly leases: FreshRead<readonly NodeLease[]>
  /** The end of the feed. */
  readonly feedEnd: FreshRead<string>
}

/** Context of the verbs, one per instance. */
export type Context = {
  readonly settings: Settings
  readonly vitals: Vitals
  /** A monotonic clock that also counts the time during which the machine was asleep. */
  readonly elapsed: () => number
  readonly store: GuardedStore
  /** The remaining deadline of the call that this context belongs to. Absent: each operation has its own deadline. */
  readonly allowance?: Allowance | undefined
  /** The unique name of this node. */
  readonly nodeId: () => string
  readonly records: RecordCache
  /** For reads on behalf of callers who have nothing but a credential. */
  readonly turns: StoreTurns
  /** Limits the lookups of forged tickets by address. Separate from the budget of tokens, so that neither uses up the other. */
  readonly forgedTickets: GuessingBudget
  /** Limits the lookups of each ticket that was created with a pepper, by its digest. A used ticket thus blocks no other ticket of its address. */
  readonly usedTickets: Budget
  /** For reads and changes on behalf of actors. */
  readonly actorTurns: ActorTurns
  /** The caller under whose name the calls of this context are queued. Absent for the library's own work, which is not queued. */
  readonly caller?: string | Known | undefined
  readonly owners: Owners | undefined
  /** Limits how often a token whose owner is gone causes a call to the `owner` callback. Keyed by the token's ID. */
  readonly ownerRefusals: Budget
  /** Absent without the `rateLimit` option. */
  readonly rates: Rates | undefined
  readonly signals: Signals
  readonly signalOf: SignalOf
  /** Absent when the options turn usage counting off. */
  readonly usage: UsageRecorder | undefined
  readonly openUses: OpenUses
  /** Refused uses of known tokens. */
  readonly refusals: CoalescedEvents
  /** Uses of rotated tokens after they ended. */
  readonly reuses: CoalescedEvents
  /** Refused management calls. */
  readonly attempts: Attempts
  /** Absent without the `onReuse` option. */
  readonly lineages: LineageRevoker | undefined
  /** Absent without the `imports` option. */
  readonly imported: Imported | undefined
  /** Events written in the host's own transactions. */
  readonly outbox: Outbox
  readonly consumers: Consumers
  readonly nodes: NodeReads
  readonly housekeeping: Housekeeping
  /** Called after each verb: yields to other work if the verbs of this instance have kept it waiting. */
  readonly giveWay: () => Promise<void>
  readonly background: Background
  /** Reports a fault to the host. */
  readonly report: Report
  readonly announce: (events: readonly StoredEvent[]) => void
  /** Everything that `flush` and `close` write. */
  readonly buffers: readonly Buffered[]
  /** Writes the buffered data: counts, and events that are coalesced. */
  readonly flush: () => Promise<void>
  /** Schedules a flush soon, off the request path. */
  readonly scheduleFlush: () => void
}
