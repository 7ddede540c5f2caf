import type { Timing } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'
import { SETUP_DEADLINE_MS } from '../store/store-calls.js'
import { StoreTurns } from './store-turns.js'

/** Bulk revocations may be large, and most stores make one after the other. */
const BULK_AT_ONCE = 4
/** Actors in more tenants than this take turns on their own: they belong to none of them in particular. */
const MOST_OF_A_GROUP = 10

/** The turns of actors. Each kind of call waits only for its own kind, so that revocations wait neither for long lists nor for large bulk revocations. */
export class ActorTurns {
  /** For reads by ID, with which every change begins. */
  readonly short: StoreTurns
  /** For reads of many rows. */
  readonly long: StoreTurns
  /** For changes to single tokens, and for tickets. */
  readonly changes: StoreTurns
  readonly bulk: StoreTurns

  constructor(timing: Timing, report: Report) {
    this.short = new StoreTurns(timing, report)
    this.long = new StoreTurns(timing, report)
    this.changes = new StoreTurns(timing, report)
    this.bulk = new StoreTurns({ monotonic: timing.monotonic, deadlineMs: SETUP_DEADLINE_MS }, report, BULK_AT_ONCE)
  }
}

/** Returns the group in which the actors of these tenants take turns; `undefined` for those that belong to no tenant in particular. */
export function groupOf(tenants: readonly string[]): string | undefined {
  return tenants.length === 0 || tenants.length > MOST_OF_A_GROUP ? undefined : JSON.stringify([...tenants].sort())
}
