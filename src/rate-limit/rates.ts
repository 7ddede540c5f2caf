import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { RateState } from '../model/principal.js'
import { type CallSite, callOut, dueFrom, isThenable, leftUntil } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'
import type { Taken } from './model.js'
import { isPoints, type KeyOf, type ReadLimit, type ReadRateLimits } from './read-options.js'
import { takeByLimiter, takeByPeriod, takeByPoints } from './take.js'

/** When to ask again where uses never come back by themselves. */
export const NEVER_SECONDS = 86_400

/** Result of the limits for one use: where they stand after it and, if it is refused, the limit that refuses. */
export type Rated = { readonly states: readonly RateState[]; readonly refusedBy?: RateState }

/** One use that was taken from a limit. */
type Spent = Taken & { readonly limit: ReadLimit; readonly key: string }

type Walk = {
  readonly subject: object
  readonly keyOf: KeyOf
  readonly now: number
  readonly taken: Spent[]
  /** When all limits must have answered, on the monotonic clock. Absent: nothing was waited for yet. */
  dueAt: number | undefined
}

/** Where a limit has no refusals left, and until when. */
type Exhausted = { readonly state: RateState; readonly until: number }

const MAX_EXHAUSTED = 10_000

/** Counts uses against the limits of the options. Keeps no counts of its own: those are the limiters'. */
export class Rates {
  readonly #options: ReadRateLimits
  readonly #timing: { readonly deadlineMs: number; readonly monotonic: () => number }
  readonly #report: Report
  readonly #monotonic: () => number
  readonly #spent: WeakMap<object, Walk> = new WeakMap()
  /** By the key of the limit. What the limiter said when it was asked last, so that the next request need not ask. */
  readonly #exhausted: Map<string, Exhausted> = new Map()

  constructor(options: ReadRateLimits, settings: { deadlineMs: number; monotonic: () => number }, report: Report) {
    this.#options = options
    this.#timing = settings
    this.#monotonic = settings.monotonic
    this.#report = report
  }

  /**
   * Takes one use from every limit that `keyOf` names a key for, or from none. `subject` is who uses: what functions of `points` are given. `leftMs`:
   * what earlier calls left of the deadline; the limits share it.
   *
   * @throws StoreUnavailableError `store_unavailable`, when a limiter cannot tell and the options say to refuse then
   */
  take(subject: object, keyOf: KeyOf, now: number, leftMs?: number): MaybePromise<Rated> {
    const dueAt = leftMs === undefined ? undefined : this.#timing.monotonic() + leftMs
    return this.#walk({ subject, keyOf, now, taken: [], dueAt }, 0)
  }

  /** Gives back what this subject's use took: it came to nothing. Once only. */
  giveBack(subject: object): void {
    const walk = this.#spent.get(subject)
    if (walk === undefined) return
    this.#spent.delete(subject)
    for (const one of walk.taken) this.#giveBack(one)
  }

  /** As `giveBack`, for a use that was refused after all: refusals have a budget of their own, as large as the limit. */
  refused(subject: object): void {
    const walk = this.#spent.get(subject)
    this.giveBack(subject)
    if (walk !== undefined) void this.#countRefusal(walk)
  }

  /** Where no refusals are left for this subject, whose use was taken: what may be refused is not looked into any more. */
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

  // Off the request's path. The narrowest limit that has none left ends it, so that the wider ones are not spent.
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
      // A limiter that fails decides about the next use, as `onFailure` says.
      this.#report('rateLimit', error)
    }
  }

  // One after the other, not at once: a token over its own limit must not hold points of its owner's, however shortly.
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
    if (walk.taken.length > 0) this.#spent.set(walk.subject, walk)
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

  /** `undefined`: the limiter cannot tell, and the options say to go on. */
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
      // It came after the deadline: the request was answered without it.
      if (abandoned && taken.allowed) this.#giveBack(taken)
      return taken
    }
    try {
      const what = `the rate limit ${limit.name}`
      const { deadlineMs } = this.#timing
      // Where a limiter that hangs is passed over, it must not take the others with it.
      const leftMs = this.#options.onFailure === 'allow' ? undefined : leftUntil(walk.dueAt, this.#timing)
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
    const given: unknown = typeof points === 'function' ? points(walk.subject as never) : points
    return isThenable(given) ? Promise.resolve(given).then(take) : take(given)
  }

  // A penalty counts also where it goes beyond the limit: a refused use spends nothing.
  #returnRefused(taken: Taken): Taken {
    if (!taken.allowed) this.#giveBack(taken)
    return taken
  }

  // Off the request's path: nobody waits for it, and where it fails the count stays too high, never too low.
  #giveBack(taken: Taken): void {
    const failed = (error: unknown): void => this.#report('rateLimit', error)
    try {
      Promise.resolve(taken.giveBack()).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
