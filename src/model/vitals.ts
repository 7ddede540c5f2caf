import type { RefusalCode } from '../errors.js'
import type { AuditAction } from './event.js'
import type { Principal } from './principal.js'

/**
 * Counts of one instance since its start: plain numbers, so that counting costs a verification next to nothing, and whoever wants them reads them.
 *
 * Their keys are words of the library; what callers send never becomes one.
 */
export class Vitals {
  /** Decisions that let a token in. */
  allowed = 0
  /** Decisions that refused a token, by code. */
  readonly refused: Map<RefusalCode, number> = new Map()
  /** Verifications that could not decide, by code: those that are answered 503. */
  readonly undecided: Map<string, number> = new Map()
  /** Those among them that were not looked up, because their address asked for too many tokens that do not exist. */
  throttled = 0
  /** Verifications that found their record in memory, or knew there that there is none. */
  cacheHits = 0
  /** Verifications that read the store. */
  cacheMisses = 0
  /** Uses that were let in, and refused by what the route requires, by code. */
  readonly refusedByRoute: Map<string, number> = new Map()
  /** Audit events that this node wrote, by action. */
  readonly events: Map<AuditAction, number> = new Map()
  /** Faults that were answered 503 or swallowed, by place. */
  readonly faults: Map<string, number> = new Map()
  /** Told of each token that was let in, within the request. */
  onAllowed: ((principal: Principal) => void) | undefined
  /** Told of each token that was refused, within the request. */
  onRefused: ((code: RefusalCode) => void) | undefined
}

/** Counts one more. */
export function countOne<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** How an instance stands, as far as that can be told without asking anyone. */
export type Readings = {
  /** The name of the store. */
  readonly store: string
  readonly breakerOpen: boolean
  /** Absent until the feed was read to its end. */
  readonly feedLagSeconds: number | undefined
  readonly maxStalenessSeconds: number
  /** Tokens with uses that are not written yet. */
  readonly usagePending: number
  /** Uses that were not counted. */
  readonly usageDropped: number
  readonly usageBatches: number
  /** Counters that were written. */
  readonly usageRows: number
}
