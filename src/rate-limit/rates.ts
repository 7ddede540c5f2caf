import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { RateState } from '../model/principal.js'
import { type CallSite, callOut, dueFrom, isThenable, leftUntil } from '../store/deadline.js'
import { newFault } from '../store/describe-fault.js'
import type { Report } from '../store/reporter.js'
import type { Taken } from './model.js'
import { isPoints, type KeyOf, type ReadLimit, type ReadRateLimits } from './read-options.js'
import { takeByLimiter, takeByPeriod, takeByPoints } from './take.js'

/** How long a caller should wait for a limit whose window never ends. */
export const NEVER_SECONDS = 86_400

/** Result of the limits for one use: their state after it and, if it is refused, the limit that refused it. */
export type Rated = { readonly states: readonly RateState[]; readonly refusedBy?: RateState }

/** One use that was taken from a limit. */
type Spent = Taken & { readonly limit: ReadLimit; readonly key: string }

type Walk = {
  readonly subject: () => object
  readonly keyOf: KeyOf
  readonly now: number
  readonly taken: Spent[]
  /** The deadline for all limits, on the monotonic clock. Absent: nothing has been awaited yet. */
  dueAt: number | undefined
  /** Whether its points were returned, and whether it was counted as a refusal. Each happens at most once. */
  isReturned: boolean
  isRefused: boolean
}

/** The state of a limit without refusals left, and how long this lasts. */
type Exhausted = { readonly state: RateState; readonly until: number }

const MAX_EXHAUSTED = 10_000

/** Counts uses against the limits of the options. The limiters keep the counts. */
export class Rates {
  readonly #options: ReadRateLimits
  readonly #timing: { readonly deadlineMs: number; readonly monotonic: () => number }
  readonly #report: Report
  readonly #monotonic: () => number
  /** Walks by subject. They remain after they were returned, because later checks of the same request may still refuse it. */
  readonly #spent: WeakMap<object, Walk> = new WeakMap()
  /** Limits without refusals left, by key, so that the next request does not have to query the limiter. */
  readonly #exhausted: Map<string, Exhausted> = new Map()

  constructor(options: ReadRateLimits, settings: { deadlineMs: number; monotonic: () => number }, report: Report) {
    this.#options = options
    this.#timing = settings
    this.#monotonic = settings.monotonic
    this.#report = report
  }

  /**
   * Takes one use from every limit that `keyOf` returns a key for, or from none. `subject` returns the caller, always the same object, for `points`
   * functions and for a use that is allowed. `leftMs` is the part of the deadline that earlier calls left; the limits share it.
   *
   * @throws StoreUnavailableError `store_unavailable`, if a limiter fails and `onFailure` is `refuse`
   */
  take(subject: () => object, keyOf: KeyOf, now: number, leftMs?: number): MaybePromise<Rated> {
    const dueAt = leftMs === undefined ? undefined : this.#timing.monotonic() + leftMs
    return this.#walk({ subject, keyOf, now, taken: [], dueAt, isReturned: false, isRefused: false }, 0)
  }

  /** A later guard of the same request made another subject. The points that the earlier one took, if any, are its points too. */
  continued(earlier: object, later: object): void {
    const walk = this.#spent.get(earlier)
    if (walk !== undefined) this.#spent.set(later, walk)
  }

  /** Gives back the points that this subject's use took, because the use did not take place. Only the first call has an effect. */
  giveBack(subject: object): void {
    const walk = this.#spent.get(subject)
    if (walk === undefined || walk.isReturned) return
    walk.isReturned = true
    for (const one of walk.taken) this.#giveBack(one)
  }

  /** Like `giveBack`, for a use that was refused later. Refusals have a separate budget, as large as the limit. */
  refused(subject: object): void {
    this.giveBack(subject)
    const walk = this.#spent.get(subject)
    // A use that was given back before, because another part of its request was refused, still counts as a refusal.
    if (walk === undefined || walk.isRefused) return
    walk.isRefused = true
    void this.#countRefusal(walk)
  }

  /** Returns the state of a limit that has no refusals left for this subject, whose use was taken. Checks that may refuse can then be skipped. */
  refusalsSpent(subject: object): RateState | undefined {
    for (const { key } of this.#spent.get(subject)?.taken ?? []) {
      const known = this.#exhausted.get(key)
      if (known === undefined) continue
      const leftMs = known.until - this.#monotonic()
      if (leftMs > 0) return { ...known.state, resetSeconds: Math.ceil(leftMs / 1000) }
      this.#exhausted.delete(key)
    }
    return undefined
  }

  // Off the request path. Stops at the first limit without refusals left, so that the wider limits after it are not used up.
  async #countRefusal(walk: Walk): Promise<void> {
    try {
      for (const { limit, key } of walk.taken) {
        const { allowed, state } = await this.#ask(walk, limit, `${key}:refused`)
        if (allowed) continue
        if (this.#exhausted.size >= MAX_EXHAUSTED) this.#exhausted.clear()
        this.#exhausted.set(key, { state, until: this.#monotonic() + (state.resetSeconds ?? NEVER_SECONDS) * 1000 })
        return
      }
    } catch (error) {
      // If the limiter keeps failing, `onFailure` applies to the next use.
      this.#report('rateLimit', newFault(error))
    }
  }

  // One after another, not in parallel, because a token over its own limit must not take its owner's points, even for a moment.
  #walk(walk: Walk, from: number): MaybePromise<Rated> {
    const { limits } = this.#options
    for (let at = from; at < limits.length; at += 1) {
      const limit = limits[at]
      const key = limit && walk.keyOf(limit)
      if (limit === undefined || key === undefined) continue
      const taken = this.#takeOne(walk, limit, key)
      if (isThenable(taken)) return taken.then((late) => this.#settle(walk, limit, key, late) ?? this.#walk(walk, at + 1))
      const refused = this.#settle(walk, limit, key, taken)
      if (refused !== undefined) return refused
    }
    if (walk.taken.length > 0) this.#spent.set(walk.subject(), walk)
    return { states: walk.taken.map(({ state }) => state) }
  }

  #settle(walk: Walk, limit: ReadLimit, key: string, taken: Taken | undefined): Rated | undefined {
    if (taken === undefined) return undefined
    if (taken.allowed) {
      walk.taken.push({ ...taken, limit, key })
      return undefined
    }
    for (const one of walk.taken) this.#giveBack(one)
    const before = walk.taken.map(({ state }) => ({ ...state, remaining: Math.min(state.remaining + 1, state.limit) }))
    return { states: [...before, taken.state], refusedBy: taken.state }
  }

  /** Returns `undefined` if the limiter fails and `onFailure` is `allow`. */
  #takeOne(walk: Walk, limit: ReadLimit, key: string): MaybePromise<Taken | undefined> {
    let abandoned = false
    const failed = (error: unknown): undefined => {
      abandoned = true
      if (this.#options.onFailure === 'allow') return undefined
      for (const one of walk.taken) this.#giveBack(one)
      throw error
    }
    const read = (answer: unknown): Taken => {
      const taken = answer as Taken
      // The limiter answered after the deadline, and the request was decided without it.
      if (abandoned && taken.allowed) this.#giveBack(taken)
      return taken
    }
    try {
      const what = `the rate limit ${limit.name}`
      const { deadlineMs } = this.#timing
      const restMs = leftUntil(walk.dueAt, this.#timing)
      // If failures are ignored, a limiter that hangs must leave time for the other limits, and for the request itself.
      const leftMs = this.#options.onFailure === 'allow' ? (restMs ?? deadlineMs) / 2 : restMs
      const site: CallSite = { what, where: 'rateLimit', deadlineMs, leftMs, report: this.#report }
      const taken = callOut(site, () => this.#ask(walk, limit, key), read)
      if (!isThenable(taken)) return taken
      walk.dueAt ??= dueFrom(this.#timing)
      return taken.catch(failed)
    } catch (error) {
      return failed(error)
    }
  }

  #ask(walk: Walk, limit: ReadLimit, key: string): MaybePromise<Taken> {
    const { limiter, points, refill } = limit
    if (points === undefined && refill === undefined) return takeByLimiter(limit, key, this.#monotonic)
    const take = (given: unknown): MaybePromise<Taken> => {
      const own = given === undefined ? limiter.points : given
      if (!isPoints(own)) throw new StoreUnavailableError(`the points of the rate limit ${limit.name} are not a whole number`)
      const taken = refill === undefined ? takeByPoints(limit, key, own, this.#monotonic) : takeByPeriod(limit, refill, key, own, walk.now)
      return isThenable(taken) ? taken.then((late) => this.#returnRefused(late)) : this.#returnRefused(taken)
    }
    const given: unknown = typeof points === 'function' ? points(walk.subject() as never) : points
    return isThenable(given) ? Promise.resolve(given).then(take) : take(given)
  }

  // A penalty counts even beyond the limit, but a refused use must spend nothing.
  #returnRefused(taken: Taken): Taken {
    if (!taken.allowed) this.#giveBack(taken)
    return taken
  }

  // Off the request path. If this fails, the count stays too high, never too low.
  #giveBack(taken: Taken): void {
    const failed = (error: unknown): void => this.#report('rateLimit', newFault(error))
    try {
      Promise.resolve(taken.giveBack()).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
