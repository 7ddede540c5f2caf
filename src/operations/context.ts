import type { OwnerScopes } from '../cache/owners.js'
import type { RecordCache } from '../cache/records.js'
import type { Signals } from '../cache/signals.js'
import type { Rates } from '../limits/rates.js'
import type { Settings } from '../options.js'
import type { GuardedStore } from '../records/guarded-store.js'
import type { Housekeeping } from '../records/housekeeping.js'
import type { SignalOf } from '../records/principal.js'
import type { RefusalRecorder } from '../records/refusals.js'
import type { RotationNotices } from '../records/rotation-due.js'
import type { UsageRecorder } from '../records/usage.js'
import type { StoredEvent } from '../store.js'

/** What the verbs work with: one per instance. */
export type Context = {
  readonly settings: Settings
  readonly store: GuardedStore
  readonly records: RecordCache
  readonly owners: OwnerScopes | undefined
  /** Absent without the option `rateLimit`. */
  readonly rates: Rates | undefined
  readonly signals: Signals
  readonly signalOf: SignalOf
  /** Absent when the options turn usage off. */
  readonly usage: UsageRecorder | undefined
  readonly refusals: RefusalRecorder
  readonly rotations: RotationNotices
  readonly housekeeping: Housekeeping
  readonly announce: (events: readonly StoredEvent[]) => void
  /** There is something to write soon, off the request's path. */
  readonly stir: () => void
}
