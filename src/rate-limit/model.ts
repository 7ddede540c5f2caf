import type { Actor } from '../model/actor.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal, RateState } from '../model/principal.js'
import type { Duration } from '../model/record.js'

/** Answer of a limiter, in the shape of rate-limiter-flexible's `RateLimiterRes`. */
export type LimiterAnswer = {
  readonly remainingPoints: number
  /** Until the window ends; -1 where it never does. */
  readonly msBeforeNext: number
  readonly consumedPoints: number
}

/**
 * The counter: a limiter of rate-limiter-flexible, or anything of its shape.
 *
 * One that answers without a promise keeps verification synchronous.
 */
export type Limiter = {
  /** Uses in a window. */
  readonly points: number
  /** The window in seconds; 0 for one that never ends. */
  readonly duration: number
  /** Takes points, or throws (rejects with) a `LimiterAnswer` where there are too few. Anything else that is thrown is a failure. */
  consume(key: string, points: number): MaybePromise<LimiterAnswer>
  /** Takes points without asking whether there are enough, in one atomic step. */
  penalty(key: string, points: number, options: { readonly customDuration?: number }): MaybePromise<LimiterAnswer>
  /** Where a key stands, without counting; nothing where it was never counted. Only `explain` asks. */
  get?(key: string): MaybePromise<LimiterAnswer | null | undefined>
  /** Gives points back. */
  reward(key: string, points: number, options: { readonly customDuration?: number }): MaybePromise<LimiterAnswer>
}

/** Whose uses a limit counts together. */
export type LimitBy = 'token' | 'owner' | 'tenant'

/** When a quota is full again: at the turn of the hour, day, week (Monday) or month in UTC, or every so many seconds. */
export type Refill = 'hour' | 'day' | 'week' | 'month' | { readonly every: Duration }

/** One limit. */
export type RateLimit = {
  /** Names it in answers and keys: lower-case letters, digits, `_` and `-`. Unique among the limits. */
  readonly name: string
  /** Whose uses count together. A token without an owner (a tenant) passes a limit by owner (tenant). */
  readonly by: LimitBy
  readonly limiter: Limiter
  /** How many uses, or a function that tells for each principal; `undefined` from it is the default. @default the limiter's own `points` */
  readonly points?: number | ((principal: Principal) => MaybePromise<number | undefined>)
  /** Makes it a quota, counted by calendar periods in place of the limiter's own windows, and exact on any number of nodes. */
  readonly refill?: Refill
}

/** The `rateLimit` option. */
export type RateLimitOptions = {
  /** Asked in this order, so the narrowest first: a use that one refuses spends nothing of those behind it, and those before get it back. */
  readonly limits: readonly RateLimit[]
  /** How to treat a limiter that fails, hangs or answers nonsense: `refuse` with 503, since nothing was decided, or `allow` without counting. */
  readonly onFailure: 'refuse' | 'allow'
}

/** A limit on the calls of the management API. */
export type ManagementRateLimit = Omit<RateLimit, 'by' | 'points'> & {
  /** Whose calls count together: those of one person within the same tenants, or of one token that calls `/self`. @default 'actor' */
  readonly by?: 'actor'
  /** How many calls, or a function that tells for each actor; `undefined` from it is the default. @default the limiter's own `points` */
  readonly points?: number | ((actor: Actor) => MaybePromise<number | undefined>)
}

/** The `rateLimit` option of `management`. */
export type ManagementRateLimitOptions = {
  /** Asked in this order; a call that one refuses spends nothing of those behind it. */
  readonly limits: readonly ManagementRateLimit[]
  /** How to treat a limiter that fails, hangs or answers nonsense: `refuse` with 503, or `allow` without counting. */
  readonly onFailure: 'refuse' | 'allow'
}

/** One use that was taken, and how it is given back. */
export type Taken = {
  readonly allowed: boolean
  readonly state: RateState
  readonly giveBack: () => unknown
}
