import type { RefusalCode } from '../errors.js'
import type { AuditAction } from './event.js'
import type { Principal } from './principal.js'

/**
 * Counts of one instance since its start. They are plain numbers, so counting adds almost no cost to a verification.
 *
 * The library defines their keys; data from callers never becomes a key.
 */
export class Vitals {
  /** Decisions that accepted a token. */
  allowed = 0
  /** Decisions that refused a token, by code. */
  readonly refused: Map<RefusalCode, number> = new Map()
  /** Verifications without a decision, which result in a 503, by code. */
  readonly undecided: Map<string, number> = new Map()
  /** How many of those skipped the lookup because their address had presented too many forged tokens. */
  throttled = 0
  /** Verifications answered from the cache, including its knowledge that a token does not exist. */
  cacheHits = 0
  /** Verifications that read the store. */
  cacheMisses = 0
  /** Uses of valid tokens that did not meet the route's requirements, by refusal code. */
  readonly refusedByRoute: Map<string, number> = new Map()
  /** Audit events that this node wrote, by action. */
  readonly events: Map<AuditAction, number> = new Map()
  /** Faults that caused a 503 or were suppressed, by place. */
  readonly faults: Map<string, number> = new Map()
  /** Called for each accepted token, during the request. */
  onAllowed: ((principal: Principal) => void) | undefined
  /** Called for each refused token, during the request. */
  onRefused: ((code: RefusalCode) => void) | undefined
}

/** Increments a counter. */
export function countOne<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** The state of an instance, as far as it is known without I/O. */
export type Readings = {
  /** The name of the store. */
  readonly store: string
  readonly breakerOpen: boolean
  /** Absent until the feed has been read to its end. */
  readonly feedLagSeconds: number | undefined
  readonly maxStalenessSeconds: number
  /** Tokens with uses that have not been written yet. */
  readonly usagePending: number
  /** Uses that were not counted. */
  readonly usageDropped: number
  readonly usageBatches: number
  /** The number of counter rows that were written. */
  readonly usageRows: number
}
