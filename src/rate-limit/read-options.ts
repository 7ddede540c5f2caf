import { InvalidInputError } from '../errors.js'
import type { RateLimit, RateLimitOptions, Refill } from './model.js'

const NAME = /^[a-z][a-z0-9_-]{0,31}$/
const MAX_LIMITS = 16
const MAX_PERIOD_SECONDS = 366 * 86_400
/** Timers of more than 2^31 - 1 milliseconds fire at once, which would empty a count in the middle of its period. */
const MAX_MEMORY_SECONDS = 2_000_000

/** The most uses that a limit may have: every counter keeps such numbers, and so does a header field (RFC 9651 §3.3.1). */
export const MAX_POINTS = 2_000_000_000

/**
 * Checks the `rateLimit` option.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readRateLimit(input: unknown): RateLimitOptions {
  const given = fields(input, 'rateLimit', ['limits', 'onFailure'])
  if (given.onFailure !== 'refuse' && given.onFailure !== 'allow') {
    throw new InvalidInputError('rateLimit.onFailure', "must be 'refuse' or 'allow': say what a limiter that fails means")
  }
  if (!Array.isArray(given.limits) || given.limits.length === 0 || given.limits.length > MAX_LIMITS) {
    throw new InvalidInputError('rateLimit.limits', `must be a list of 1 to ${MAX_LIMITS} limits`)
  }
  const limits = Array.from(given.limits, readLimit)
  const names = limits.map(({ name }) => name)
  const twice = names.findIndex((name, index) => names.indexOf(name) < index)
  if (twice !== -1) throw new InvalidInputError(`rateLimit.limits.${twice}.name`, 'names two limits')
  return Object.freeze({ limits: Object.freeze(limits), onFailure: given.onFailure })
}

function readLimit(input: unknown, index: number): RateLimit {
  const at = `rateLimit.limits.${index}`
  const { name, by, limiter, points, refill } = fields(input, at, ['name', 'by', 'limiter', 'points', 'refill'])
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new InvalidInputError(`${at}.name`, 'must be 1 to 32 lower-case letters, digits, _ and -, starting with a letter')
  }
  if (by !== 'token' && by !== 'owner' && by !== 'tenant') throw new InvalidInputError(`${at}.by`, "must be 'token', 'owner' or 'tenant'")
  if (!isLimiter(limiter)) {
    throw new InvalidInputError(
      `${at}.limiter`,
      'must be a limiter such as new RateLimiterRedis({ … }): points, duration, consume, penalty and reward',
    )
  }
  if (points !== undefined && !isPoints(points) && typeof points !== 'function') {
    throw new InvalidInputError(`${at}.points`, 'must be a whole number of uses, or a function of the principal')
  }
  const read = refill === undefined ? undefined : readRefill(refill, `${at}.refill`)
  if (read !== undefined && '_memoryStorage' in limiter && longestSeconds(read) > MAX_MEMORY_SECONDS) {
    throw new InvalidInputError(`${at}.refill`, 'is longer than a limiter in memory can count: take one on Redis or on a database')
  }
  return Object.freeze({
    name,
    by,
    limiter,
    ...(points !== undefined && { points: points as NonNullable<RateLimit['points']> }),
    ...(read !== undefined && { refill: read }),
  })
}

function readRefill(input: unknown, at: string): Refill {
  if (input === 'hour' || input === 'day' || input === 'week' || input === 'month') return input
  const wrong = new InvalidInputError(at, "must be 'hour', 'day', 'week', 'month', or { everySeconds }, whole, at most 366 days")
  if (typeof input !== 'object' || input === null) throw wrong
  const { everySeconds } = fields(input, at, ['everySeconds'])
  if (typeof everySeconds !== 'number' || !Number.isInteger(everySeconds) || everySeconds < 1 || everySeconds > MAX_PERIOD_SECONDS)
    throw wrong
  return Object.freeze({ everySeconds })
}

function longestSeconds(refill: Refill): number {
  if (typeof refill === 'object') return refill.everySeconds
  return { hour: 3600, day: 86_400, week: 7 * 86_400, month: 31 * 86_400 }[refill]
}

/** Is it a number of uses? */
export function isPoints(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_POINTS
}

function isLimiter(value: unknown): value is RateLimit['limiter'] {
  if (typeof value !== 'object' || value === null) return false
  const duration: unknown = Reflect.get(value, 'duration')
  return (
    isPoints(Reflect.get(value, 'points')) &&
    typeof duration === 'number' &&
    duration >= 0 &&
    ['consume', 'penalty', 'reward'].every((method) => typeof Reflect.get(value, method) === 'function')
  )
}

function fields<K extends string>(input: unknown, at: string, names: readonly K[]): { readonly [name in K]?: unknown } {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new InvalidInputError(at, 'must be an object')
  for (const name of Reflect.ownKeys(input)) {
    if (!names.some((known) => known === name)) throw new InvalidInputError(`${at}.${String(name)}`, 'there is no such option')
  }
  return input
}
