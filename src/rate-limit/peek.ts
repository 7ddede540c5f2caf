import { StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { RateState } from '../model/principal.js'
import { type Allowance, callOut } from '../store/deadline.js'
import type { Report } from '../store/reporter.js'
import { periodOf } from './period.js'
import { isPoints, type KeyOf, type ReadLimit, type ReadRateLimits } from './read-options.js'
import { datedKey, readAnswer } from './take.js'

/** The current state of the limits. */
export type Peeked = {
  readonly states: readonly RateState[]
  /** Some limiters cannot be read without counting a use, or no time was left for them. */
  readonly unread: boolean
  /** Whether one of the limits that were read would refuse another use. */
  readonly spent: boolean
}

type Peek = {
  readonly subject: object
  readonly now: number
  readonly deadlineMs: number
  /** The time that the limits share with everything else that the call waits for. */
  readonly allowance?: Allowance | undefined
  readonly report: Report
}

/**
 * Returns the state of the limits that `keyOf` returns a key for, without using any of them up.
 *
 * @throws StoreUnavailableError `store_unavailable`, if a limiter fails and `onFailure` is `refuse`
 */
export async function peekRates({ limits, onFailure }: ReadRateLimits, keyOf: KeyOf, peek: Peek): Promise<Peeked> {
  const states: RateState[] = []
  let [unread, spent] = [false, false]
  for (const limit of limits) {
    const key = keyOf(limit)
    if (key === undefined) continue
    const leftMs = peek.allowance?.leftMs
    const asked = onFailure === 'refuse' || leftMs === undefined || leftMs > 0
    if (typeof limit.limiter.get !== 'function' || !asked) {
      unread = true
      continue
    }
    try {
      const state = await callOut(
        { what: `the rate limit ${limit.name}`, where: 'rateLimit', deadlineMs: peek.deadlineMs, leftMs, report: peek.report },
        () => stateOf(limit, key, peek),
      )
      states.push(state)
      spent ||= state.remaining === 0
    } catch (error) {
      if (onFailure === 'refuse') throw error
    }
  }
  return { states, unread, spent }
}

async function stateOf(limit: ReadLimit, key: string, { subject, now }: Peek): Promise<RateState> {
  const { limiter, name, refill } = limit
  const points = await pointsOf(limit, subject)
  const period = refill && periodOf(refill, now)
  const answer: unknown = await limiter.get?.(period === undefined ? key : datedKey(key, period))
  // Nothing was counted yet.
  const read = answer === null || answer === undefined ? undefined : readAnswer(answer)
  const resetMs = period === undefined ? read?.msBeforeNext : period.endsAt - now
  const windowSeconds = period === undefined ? limiter.duration : (period.endsAt - period.startsAt) / 1000
  return {
    name,
    limit: points,
    remaining: Math.min(Math.max(points - (read?.consumedPoints ?? 0), 0), points),
    ...(resetMs !== undefined && resetMs >= 0 && { resetSeconds: Math.ceil(resetMs / 1000) }),
    ...(windowSeconds >= 1 && { windowSeconds: Math.floor(windowSeconds) }),
  }
}

async function pointsOf({ limiter, points, name }: ReadLimit, subject: object): Promise<number> {
  const given: MaybePromise<number | undefined> = typeof points === 'function' ? points(subject as never) : points
  const own = (await given) ?? limiter.points
  if (!isPoints(own)) throw new StoreUnavailableError(`the points of the rate limit ${name} are not a whole number`)
  return own
}
