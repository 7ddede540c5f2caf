import type { Actor } from '../model/actor.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal, RateState } from '../model/principal.js'
import type { Duration } from '../model/record.js'

/** The result of a limiter, in the shape of rate-limiter-flexible's `RateLimiterRes`. */
export type LimiterAnswer = {
  readonly remainingPoints: number
  /** Time until the window ends; -1 if it never does. */
  readonly msBeforeNext: number
  readonly consumedPoints: number
}

/**
 * The counter: a limiter of rate-limiter-flexible, or any object of the same shape.
 *
 * A limiter that does not return a promise keeps verification synchronous.
 */
export type Limiter = {
  /** Uses in a window. */
  readonly points: number
  /** The length of the window in seconds; 0 for one that never ends. */
  readonly duration: number
  /** Takes points, or throws (rejects with) a `LimiterAnswer` if too few are left. Anything else that it throws is a failure. */
  consume(key: string, points: number): MaybePromise<LimiterAnswer>
  /** Takes points in one atomic step without checking whether enough are left. */
  penalty(key: string, points: number, options: { readonly customDuration?: number }): MaybePromise<LimiterAnswer>
  /** Returns the state of a key without counting, or nothing if it was never counted. Only `explain` calls this. */
  get?(key: string): MaybePromise<LimiterAnswer | null | undefined>
  /** Gives points back. */
  reward(key: string, points: number, options: { readonly customDuration?: number }): MaybePromise<LimiterAnswer>
}

/** Which uses a limit counts together. */
export type LimitBy = 'token' | 'owner' | 'tenant'

/** When a quota is refilled: at the start of each hour, day, week (Monday) or month in UTC, or every given number of seconds. */
export type Refill = 'hour' | 'day' | 'week' | 'month' | { readonly every: Duration }

/** One limit. */
export type RateLimit = {
  /** The name in responses and keys: lowercase letters, digits, `_` and `-`. Unique among the limits. */
  readonly name: string
  /** Which uses count together. A token without an owner (tenant) is not subject to a limit by owner (tenant). */
  readonly by: LimitBy
  readonly limiter: Limiter
  /**
   * How many uses are allowed, or a function that returns this for each principal; `undefined` selects the default. @default the limiter's own
   * `points`
   */
  readonly points?: number | ((principal: Principal) => MaybePromise<number | undefined>)
  /** Makes it a quota, counted by calendar periods instead of the limiter's own windows, and exact on any number of nodes. */
  readonly refill?: Refill
}

/** The `rateLimit` option. */
export type RateLimitOptions = {
  /**
   * Checked in this order, so put the narrowest first: a use that one limit refuses takes nothing from later limits, and is returned to earlier ones.
   */
  readonly limits: readonly RateLimit[]
  /**
   * How to treat a limiter that fails, hangs or returns an invalid result: `refuse` with 503, since nothing was decided, or `allow` without counting.
   */
  readonly onFailure: 'refuse' | 'allow'
}

/** A limit on calls to the management API. */
export type ManagementRateLimit = Omit<RateLimit, 'by' | 'points'> & {
  /** Which calls count together: those of one person within the same tenants, or those of one token that calls `/self`. @default 'actor' */
  readonly by?: 'actor'
  /**
   * How many calls are allowed, or a function that returns this for each actor; `undefined` selects the default. @default the limiter's own `points`
   */
  readonly points?: number | ((actor: Actor) => MaybePromise<number | undefined>)
}

/** The `rateLimit` option of `management`. */
export type ManagementRateLimitOptions = {
  /** Checked in this order; a call that one limit refuses takes nothing from later limits. */
  readonly limits: readonly ManagementRateLimit[]
  /** How to treat a limiter that fails, hangs or returns an invalid result: `refuse` with 503, or `allow` without counting. */
  readonly onFailure: 'refuse' | 'allow'
}

/** One use that was taken, and how it is given back. */
export type Taken = {
  readonly allowed: boolean
  readonly state: RateState
  readonly giveBack: () => unknown
}
