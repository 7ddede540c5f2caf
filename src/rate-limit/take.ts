import { isErrorLike, StoreUnavailableError } from '../errors.js'
import type { MaybePromise } from '../model/json.js'
import type { RateState } from '../model/principal.js'
import { isInstant } from '../policy/instant.js'
import { isThenable } from '../store/deadline.js'
import type { LimiterAnswer, Taken } from './model.js'
import { periodOf } from './period.js'
import type { ReadLimit, ReadRefill } from './read-options.js'

/** How long a count outlives its period, so that a node whose clock is behind still finds it. */
const OUTLIVES_SECONDS = 3600
/** Points are not given back this close to the end of a window, because they could count in the next window. */
const WINDOW_END_MS = 100

/** Takes one use with the limiter's own windows and `points`, so that its blocking, insurance and other options apply. */
export function takeByLimiter(limit: ReadLimit, key: string, monotonic: () => number): MaybePromise<Taken> {
  const { limiter } = limit
  const allowed = (answer: unknown): Taken => windowed(limit, key, limiter.points, true, readAnswer(answer), monotonic)
  const refused = (thrown: unknown): Taken => {
    if (isErrorLike(thrown) || typeof thrown !== 'object') throw thrown
    return windowed(limit, key, limiter.points, false, readAnswer(thrown), monotonic)
  }
  try {
    const answer: unknown = limiter.consume(key, 1)
    return isThenable(answer) ? Promise.resolve(answer).then(allowed, refused) : allowed(answer)
  } catch (thrown) {
    return refused(thrown)
  }
}

/** Takes one use with the limiter's own windows, but the host's `points`. */
export function takeByPoints(limit: ReadLimit, key: string, points: number, monotonic: () => number): MaybePromise<Taken> {
  return then(limit.limiter.penalty(key, 1, {}), (answer) => {
    const read = readAnswer(answer)
    return windowed(limit, key, points, read.consumedPoints <= points, read, monotonic)
  })
}

/**
 * Takes one use of a quota.
 *
 * The period is part of the key. Nodes whose clocks differ slightly therefore never spend more than a period has. A use that is returned late goes back to
 * its own period, never to the next period.
 *
 * @throws StoreUnavailableError `store_unavailable`, if the wall clock is invalid: the use belongs to no period
 */
export function takeByPeriod(limit: ReadLimit, refill: ReadRefill, key: string, points: number, now: number): MaybePromise<Taken> {
  if (!isInstant(now)) throw new StoreUnavailableError(`no use can be counted for ${limit.name}: the clock option returned an invalid time`)
  const { startsAt, endsAt } = periodOf(refill, now)
  const untilEnd = Math.ceil((endsAt - now) / 1000)
  const dated = datedKey(key, { startsAt })
  const lifetime = { customDuration: untilEnd + OUTLIVES_SECONDS }
  return then(limit.limiter.penalty(dated, 1, lifetime), (answer) => {
    const { consumedPoints } = readAnswer(answer)
    const state: RateState = {
      name: limit.name,
      limit: points,
      remaining: Math.min(Math.max(points - consumedPoints, 0), points),
      resetSeconds: untilEnd,
      windowSeconds: Math.round((endsAt - startsAt) / 1000),
    }
    return { allowed: consumedPoints <= points, state, giveBack: () => limit.limiter.reward(dated, 1, lifetime) }
  })
}

/** Returns the key under which a quota counts the uses of a period. */
export function datedKey(key: string, { startsAt }: { readonly startsAt: number }): string {
  return `${key}@${startsAt / 1000}`
}

function windowed(limit: ReadLimit, key: string, points: number, allowed: boolean, answer: LimiterAnswer, monotonic: () => number): Taken {
  const { limiter, name } = limit
  const ends = answer.msBeforeNext >= 0
  const endsAt = ends ? monotonic() + answer.msBeforeNext : Number.POSITIVE_INFINITY
  const state: RateState = {
    name,
    limit: points,
    remaining: allowed ? Math.min(Math.max(points - answer.consumedPoints, 0), points) : 0,
    ...(ends && { resetSeconds: Math.ceil(answer.msBeforeNext / 1000) }),
    ...(limiter.duration >= 1 && { windowSeconds: Math.floor(limiter.duration) }),
  }
  const giveBack = (): unknown => (monotonic() + WINDOW_END_MS < endsAt ? limiter.reward(key, 1, {}) : undefined)
  return { allowed, state, giveBack }
}

/**
 * Reads the answer of a limiter.
 *
 * @throws StoreUnavailableError `store_unavailable`, if it is invalid
 */
export function readAnswer(answer: unknown): LimiterAnswer {
  if (typeof answer === 'object' && answer !== null) {
    const consumedPoints: unknown = Reflect.get(answer, 'consumedPoints')
    const remainingPoints: unknown = Reflect.get(answer, 'remainingPoints')
    const msBeforeNext: unknown = Reflect.get(answer, 'msBeforeNext')
    if (isNumber(consumedPoints) && isNumber(remainingPoints) && isNumber(msBeforeNext))
      return { consumedPoints, remainingPoints, msBeforeNext }
  }
  throw new StoreUnavailableError('the rate limiter returned an invalid result')
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function then(answer: unknown, read: (answer: unknown) => Taken): MaybePromise<Taken> {
  return isThenable(answer) ? Promise.resolve(answer).then(read) : read(answer)
}
